import Glibc
import Testing

/// `procctl spawn` with every call that it makes failing, one at a time.
extension SystemTests {
  @Suite struct FaultSpawnTests {
    /// The two ways to a child (Spawner.swift), each with a leftover to be ended.
    enum Way: String, CaseIterable, CustomTestStringConvertible {
      case posixSpawn
      case childTarget

      var testDescription: String { self.rawValue }

      static let status: Int32 = 42

      func arguments(_ session: TestSession) throws -> [Bytes] {
        let leaves: [Bytes] = ["child", "session", "hold", "end", "exit", "\(Self.status)"]
        switch self {
        case .posixSpawn:
          return ["spawn", "--grace", "1s", "--", Bytes(Programs.workload)] + leaves
        case .childTarget:
          let port = "\(try session.freePort())"
          return [
            "spawn", "--grace", "1s", "--user", "nobody", "--ambient-caps", "net_bind_service", "--limit",
            "nofile=256:512", "--contain", "cgroup", "--no-new-privs", "--chdir", "/", "--name", "faulty",
            "--port", Bytes(port), "--", Bytes(try session.publicWorkload()),
          ] + leaves
        }
      }
    }

    @Test(
      .needs(.root, "the child's user is changed"), .needs(.cgroup, "the child gets one"),
      arguments: Way.allCases, FaultCatalogue.calls)
    func oneFault(way: Way, call: String) async throws {
      let count = try await self.counts(way)[call] ?? 0
      for fault in FaultCatalogue.faults(of: call, count: count, all: FaultyRun.isExhaustive) {
        _ = try await self.run(way, [fault])
      }
    }

    /// Not once, but whenever it is tried.
    @Test(
      .needs(.root, "the child's user is changed"), .needs(.cgroup, "the child gets one"),
      arguments: Way.allCases, FaultCatalogue.calls)
    func forEver(way: Way, call: String) async throws {
      guard try await self.counts(way)[call] != nil else { return }
      let effects = (FaultCatalogue.effects[call] ?? []).filter { $0 != "EINTR" && $0 != "short" }
      for effect in FaultyRun.isExhaustive ? effects : Array(effects.prefix(1)) {
        _ = try await self.run(way, [Fault(call, .from(1), effect)])
      }
    }

    /// The calls of a run without a fault, counted once.
    private func counts(_ way: Way) async throws -> [String: Int] {
      if let known = await CallCounts.shared[way.rawValue] { return known }
      let entries = try await self.run(way, []).entries
      let counts = Dictionary(entries.map { ($0.call, 1) }, uniquingKeysWith: +)
      await CallCounts.shared.set(way.rawValue, counts)
      return counts
    }

    private func run(_ way: Way, _ faults: [Fault]) async throws -> FaultRecord {
      var record = FaultRecord(path: "")
      try await withSession { session in
        let run = FaultyRun(session, faults)
        let process = try run.start(try way.arguments(session))
        let result = try? await process.end(within: FaultyRun.limit)
        record = run.record
        // What can be removed at no time may stay, but not in silence.
        let isLasting = faults.contains { $0.lasts || $0.call == "flock" }
        let leaks = try await run.leaks()
        let silent = leaks.filter { !(isLasting && (result?.errors ?? "").contains($0.name)) }
        let problems = silent.map(\.what) + (result.map { self.lies($0, faults) } ?? ["it hangs"])
        if !problems.isEmpty { Issue.record(describe(faults, problems, result)) }
        if !leaks.isEmpty || result == nil { try await session.sweep() }
      }
      return record
    }

    private func lies(_ result: TestProcess.Result, _ faults: [Fault]) -> [String] {
      var problems = FaultyRun.crash(of: result)
      guard case .exited(let status) = result.ending else { return problems }
      // Only what has to do with the file may say that the file is at fault.
      let execution: Set<String> = ["execve", "posix_spawn", "access", "stat"]
      switch status {
      case Way.status: break
      case 125: break
      case 126, 127:
        if !faults.contains(where: { execution.contains($0.call) }) { problems.append("wrong status") }
        let missing = faults.contains { $0.effect == "ENOENT" }
        if (status == 127) != missing { problems.append("126 and 127 taken for each other") }
      default: problems.append("wrong status")
      }
      let isMute = faults.contains { $0.call == "write" && $0.lasts }
      if status != Way.status, !isMute, !result.errors.hasPrefix("procctl: ") {
        problems.append("does not say why")
      }
      if faults.isEmpty, status != Way.status { problems.append("not clean without a fault") }
      return problems
    }
  }
}
