import GracefulShutdown
import Testing

/// With `forcesAfterTimeout` off the waiting ends all the same, and what overstays is left alone.
@Suite(.timeLimit(.minutes(1))) struct ForceTests {
  let clock = VirtualClock()
  let recorder = Recorder()

  /// A request, a client and a cleanup that all overstay.
  ///
  /// - Returns: The report, and what had been done when it was there.
  private func report(forcing: Bool) async throws -> (report: ShutdownReport, done: [String]) {
    let coordinator = ShutdownCoordinator(
      configuration: ShutdownConfiguration(forcesAfterTimeout: forcing), logger: .silent, clock: self.clock)
    let recorder = self.recorder
    let gate = Gate()
    let begun = Gate()
    let token = try coordinator.beginRequest("slow")
    token.onCancel { recorder.add("request cancelled") }
    _ = try coordinator.register(
      TestClient(shutdownName: "stuck", behaviour: .hangsInClose(gate), recorder: recorder))
    try coordinator.addCleanup("deaf") {
      await withTaskCancellationHandler {
        begun.open()
        await gate.wait()
      } onCancel: {
        recorder.add("cleanup cancelled")
      }
    }
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(30))
    self.clock.advance(by: .seconds(30))
    if forcing {
      await self.clock.untilSomethingSleeps(for: .seconds(1))
      self.clock.advance(by: .seconds(1))
    }
    await self.clock.untilSomethingSleeps(for: .seconds(10))
    self.clock.advance(by: .seconds(10))
    // One that has not begun is told of its end only when it does.
    await begun.wait()
    await self.clock.untilSomethingSleeps(for: .seconds(10))
    self.clock.advance(by: .seconds(10))
    let report = await coordinator.report
    let done = self.recorder.all
    gate.open()
    token.end()
    return (report, done)
  }

  @Test func overstayingIsOnlyRecorded() async throws {
    let (report, done) = try await self.report(forcing: false)
    #expect(done == ["stuck notified: test"])
    #expect(
      report.failures.map { "\($0.name): \($0.detail)" } == [
        "slow: still running after 30.000 s", "stuck: still connected after 10.000 s",
        "deaf: not done after 10.000 s, left behind",
      ])
    #expect(report.clients.overstayed == 1)
    #expect(report.clients.total == 1)
    #expect(report.duration == .seconds(50))
  }

  /// The negative control: the same with force.
  @Test func overstayingIsEnded() async throws {
    let (report, done) = try await self.report(forcing: true)
    #expect(
      Set(done) == [
        "stuck notified: test", "request cancelled", "stuck aborted", "cleanup cancelled",
      ])
    #expect(
      report.failures.map { "\($0.name): \($0.detail)" } == [
        "slow: cancelled after 30.000 s, still running", "stuck: dropped after 10.000 s",
        "deaf: not done after 10.000 s, left behind",
      ])
    #expect(report.clients.dropped == 1)
    #expect(report.exitStatus == 6)
  }
}
