import Dispatch
import GracefulShutdown
import Testing

@Suite(.timeLimit(.minutes(1))) struct CleanupTests {
  let clock = VirtualClock()
  let recorder = Recorder()

  func coordinator() -> ShutdownCoordinator { ShutdownCoordinator(logger: .silent, clock: self.clock) }

  @Test func theLastRegisteredRunsFirst() async throws {
    let coordinator = self.coordinator()
    let recorder = self.recorder
    try coordinator.addCleanup("one") { recorder.add("one") }
    try coordinator.addBlockingCleanup("two") { recorder.add("two") }
    let removed = try coordinator.addCleanup("removed") { recorder.add("removed") }
    try coordinator.addCleanup("three") { recorder.add("three") }
    removed.remove()
    coordinator.initiate(reason: "test")
    let report = await coordinator.report
    #expect(recorder.all == ["three", "two", "one"])
    #expect(report.isClean)
    #expect(report.phases[2].total == 3)
  }

  @Test func aFailureIsRecordedAndTheRestRuns() async throws {
    let coordinator = self.coordinator()
    let recorder = self.recorder
    try coordinator.addCleanup("last") { recorder.add("last") }
    try coordinator.addCleanup("throws") { throw TestFailure("disk full") }
    try coordinator.addBlockingCleanup("throws, too") { throw TestFailure("no route") }
    coordinator.initiate(reason: "test")
    let report = await coordinator.report
    #expect(recorder.all == ["last"])
    #expect(
      report.failures.map { "\($0.name): \($0.detail)" } == ["throws, too: no route", "throws: disk full"])
    #expect(report.phases[2].outcome == .failed)
    #expect(report.phases[2].completed == 1)
  }

  @Test func cleanupsThatNeverReturnHoldNothing() async throws {
    let coordinator = self.coordinator()
    let recorder = self.recorder
    let gate = Gate()
    // More than there are threads for tasks, so that blocking one of those would show.
    let blocker = DispatchSemaphore(value: 0)
    let count = 64
    try coordinator.addCleanup("last") { recorder.add("last") }
    try coordinator.addCleanup("deaf", timeout: .seconds(3)) { await gate.wait() }
    for number in 0..<count {
      try coordinator.addBlockingCleanup("blocking \(number)", timeout: .seconds(2)) { blocker.wait() }
    }
    coordinator.initiate(reason: "test")
    for _ in 0..<count {
      await self.clock.untilSomethingSleeps(for: .seconds(2))
      self.clock.advance(by: .seconds(2))
    }
    await self.clock.untilSomethingSleeps(for: .seconds(3))
    self.clock.advance(by: .seconds(3))
    let report = await coordinator.report
    #expect(recorder.all == ["last"])
    #expect(report.failures.count == count + 1)
    #expect(report.failures.last?.detail == "not done after 3.000 s, left behind")
    #expect(report.phases[2].duration == .seconds(2 * count + 3))
    for _ in 0..<count { blocker.signal() }
    gate.open()
  }

  @Test func aCleanupOverItsTimeIsCancelled() async throws {
    let coordinator = self.coordinator()
    let clock = self.clock
    let cancelled = Gate()
    try coordinator.addCleanup("sleeps") {
      do { try await clock.sleep(for: .seconds(99)) } catch { cancelled.open() }
    }
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(99))
    await self.clock.untilSomethingSleeps(for: .seconds(10))
    self.clock.advance(by: .seconds(10))
    #expect(await coordinator.report.failures.map(\.name) == ["sleeps"])
    await cancelled.wait()
  }

  @Test func oneRegisteredByACleanupStillRunsAndLaterIsRefused() async throws {
    let coordinator = self.coordinator()
    let recorder = self.recorder
    try coordinator.addCleanup("outer") { [weak coordinator] in
      try coordinator?.addCleanup("inner") { recorder.add("inner") }
    }
    coordinator.initiate(reason: "test")
    _ = await coordinator.report
    #expect(recorder.all == ["inner"])
    #expect(throws: ShutdownError(.cleanupRefused, name: "late", reason: "test")) {
      try coordinator.addCleanup("late") {}
    }
  }
}
