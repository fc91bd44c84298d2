import GracefulShutdown
import GracefulShutdownServiceLifecycle
import Logging
import ServiceLifecycle
import Testing

/// In a real service group.
@Suite(.timeLimit(.minutes(1))) struct ShutdownServiceTests {
  let recorder = Recorder()

  /// Serves until its group shuts down.
  private struct Server: Service {
    let recorder: Recorder

    func run() async throws {
      self.recorder.add("serving")
      try await gracefulShutdown()
      self.recorder.add("server ended")
    }
  }

  private func group(_ coordinator: ShutdownCoordinator) throws -> ServiceGroup {
    var configuration = ServiceGroupConfiguration(
      services: [
        .init(service: Server(recorder: self.recorder)), ShutdownService(coordinator).serviceConfiguration,
      ], logger: .silent)
    try configuration.allowTime(for: coordinator)
    return ServiceGroup(configuration: configuration)
  }

  @Test func theGroupsShutdownIsTheCoordinators() async throws {
    let coordinator = ShutdownCoordinator(logger: .silent)
    let recorder = self.recorder
    try coordinator.addCleanup("cleanup") { recorder.add("cleanup") }
    let token = try coordinator.beginRequest("held")
    let group = try self.group(coordinator)
    let run = Task { try await group.run() }
    await recorder.until { $0.contains("serving") }
    await group.triggerGracefulShutdown()
    for await phase in coordinator.phases where phase == .drainingRequests { break }
    #expect(coordinator.reason == "requested by the service group")
    token.end()
    try await run.value
    #expect(recorder.all == ["serving", "cleanup", "server ended"])
    #expect(await coordinator.report.isClean)
  }

  @Test func aShutdownOfItsOwnEndsTheGroup() async throws {
    let coordinator = ShutdownCoordinator(logger: .silent)
    let group = try self.group(coordinator)
    let run = Task { try await group.run() }
    await self.recorder.until { $0.contains("serving") }
    coordinator.initiate(reason: .requested(by: "POST /shutdown"))
    try await run.value
    #expect(self.recorder.all == ["serving", "server ended"])
    #expect(await coordinator.report.refusedInitiations == 0)
  }

  @Test func aShutdownThatIsNotCleanThrows() async throws {
    let coordinator = ShutdownCoordinator(logger: .silent)
    try coordinator.addCleanup("fails") { throw TestFailure("disk full") }
    let group = try self.group(coordinator)
    coordinator.initiate(reason: "test")
    let error = await #expect(throws: ShutdownNotClean.self) { try await group.run() }
    #expect(error?.report.failures.map(\.name) == ["fails"])
  }

  @Test func cancelledItEndsAtOnce() async throws {
    let coordinator = ShutdownCoordinator(logger: .silent)
    let token = try coordinator.beginRequest("held")
    let run = Task { try await ShutdownService(coordinator).run() }
    run.cancel()
    await #expect(throws: CancellationError.self) { try await run.value }
    #expect(coordinator.isShuttingDown)
    token.end()
    #expect(await coordinator.report.isClean)
  }

  @Test func theGroupMustWaitLonger() throws {
    let coordinator = ShutdownCoordinator(logger: .silent)
    try coordinator.addCleanup("one") {}
    try coordinator.addCleanup("two", timeout: .seconds(3)) {}
    try coordinator.addFlush("logs") {}
    // 30 for requests, 10 for clients, 1 for each to notice force, 10 and 3 for cleanups, 2 for the flush.
    #expect(coordinator.longestShutdown == .seconds(57))
    var configuration = ServiceGroupConfiguration(
      services: [ServiceGroupConfiguration.ServiceConfiguration](), logger: .silent)
    try configuration.allowTime(for: coordinator)
    #expect(configuration.maximumGracefulShutdownDuration == .seconds(59))
    try configuration.allowTime(for: coordinator)
    configuration.maximumGracefulShutdownDuration = .seconds(57)
    let error = #expect(throws: ShutdownSetupError.self) { try configuration.allowTime(for: coordinator) }
    #expect(error?.code == .deadlineTooShort)
  }
}
