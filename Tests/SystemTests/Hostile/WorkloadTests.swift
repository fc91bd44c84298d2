import Testing

extension SystemTests {
  /// Each hostile workload, with each that may keep it.
  @Suite struct HostileWorkloads {
    /// Not all of them at once: a kind after the other.
    private static let kinds = [
      HostileBreeding.workloads, HostileHiding.workloads, HostileStandstill.workloads,
    ]

    private func end(_ workload: HostileWorkload) async throws {
      try await concurrently(Keeper.possible) { keeper in try await workload.end(with: keeper) }
    }

    private func surviveTimeout(_ workloads: [HostileWorkload]) async throws {
      try await concurrently(workloads) { workload in try await workload.survivesTimeout() }
    }

    @Test("nobody is left of", arguments: kinds.flatMap { $0 })
    func ended(_ workload: HostileWorkload) async throws { try await self.end(workload) }

    @Test("control: timeout -k leaves some of each", arguments: kinds)
    func control(_ workloads: [HostileWorkload]) async throws { try await self.surviveTimeout(workloads) }

    @Test(
      "nobody is left of", .needs(.root, "other users and namespaces"),
      arguments: HostileHiding.privileged)
    func endedPrivileged(_ workload: HostileWorkload) async throws { try await self.end(workload) }

    @Test("control: timeout -k leaves some of each", .needs(.root, "other users and namespaces"))
    func controlPrivileged() async throws { try await self.surviveTimeout(HostileHiding.privileged) }
  }
}
