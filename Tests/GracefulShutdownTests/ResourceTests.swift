import GracefulShutdown
import Testing

@Suite(.timeLimit(.minutes(1))) struct ResourceTests {
  let clock = VirtualClock()
  let recorder = Recorder()

  func coordinator() -> ShutdownCoordinator { ShutdownCoordinator(logger: .silent, clock: self.clock) }

  @Test func itIsOpenUntilTheShutdownClosesIt() async throws {
    let coordinator = self.coordinator()
    let recorder = self.recorder
    let database = try await coordinator.openResource("database") {
      recorder.add("opened")
      return "rows"
    } close: {
      recorder.add("closed \($0)")
    }
    try coordinator.addCleanup("uses it") { recorder.add(try database.use { "used \($0)" }) }
    #expect(try database.use { $0.count } == 4)
    #expect(database.isOpen)
    coordinator.initiate(reason: "test")
    #expect(await coordinator.report.isClean)
    #expect(recorder.all == ["opened", "used rows", "closed rows"])
    #expect(!database.isOpen)
    #expect(throws: ShutdownResourceClosed(name: "database")) { try database.use { _ in } }
  }

  @Test func whatCannotBeOpenedThrowsAndRegistersNothing() async throws {
    let coordinator = self.coordinator()
    await #expect(throws: TestFailure.self) {
      try await coordinator.openBlockingResource("database") { () throws -> String in
        throw TestFailure("no such file")
      } close: { _ in
      }
    }
    #expect(coordinator.statistics.cleanupsWaiting == 0)
    coordinator.initiate(reason: "test")
    #expect(await coordinator.report.isClean)
    await #expect(throws: ShutdownError(.cleanupRefused, name: "late", reason: "test")) {
      try await coordinator.openResource("late") {
        Issue.record("opened")
      } close: { _ in
      }
    }
  }

  @Test func closingWaitsForUsesThatBegan() async throws {
    let coordinator = self.coordinator()
    let recorder = self.recorder
    let gate = Gate()
    let database = try await coordinator.openBlockingResource("database") {
      1
    } close: { _ in
      recorder.add("closed")
    }
    let use = Task {
      try await database.use { _ in
        recorder.add("using")
        await gate.wait()
        recorder.add("used")
      }
    }
    await recorder.until { $0 == ["using"] }
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(10))
    #expect(throws: ShutdownResourceClosed.self) { try database.use { _ in } }
    gate.open()
    try await use.value
    #expect(await coordinator.report.isClean)
    #expect(recorder.all == ["using", "used", "closed"])
  }

  @Test func aUseThatNeverEndsHoldsNothing() async throws {
    let coordinator = self.coordinator()
    let gate = Gate()
    let recorder = self.recorder
    let database = try await coordinator.openResource("database", timeout: .seconds(4)) {
      1
    } close: { _ in
      recorder.add("closed")
    }
    let use = Task {
      try await database.use { _ in
        recorder.add("using")
        await gate.wait()
      }
    }
    await recorder.until { $0 == ["using"] }
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(4))
    self.clock.advance(by: .seconds(4))
    let report = await coordinator.report
    #expect(report.failures.map(\.detail) == ["not done after 4.000 s, left behind"])
    #expect(recorder.all == ["using"])
    gate.open()
    try await use.value
    await recorder.until { $0 == ["using", "closed"] }
  }

  @Test func closedByHandItIsNoLongerTheShutdownsAffair() async throws {
    let coordinator = self.coordinator()
    let recorder = self.recorder
    let database = try await coordinator.openResource("database") {
      1
    } close: { _ in
      recorder.add("closed")
      throw TestFailure("disk full")
    }
    await #expect(throws: TestFailure.self) { try await database.close() }
    await #expect(throws: TestFailure.self) { try await database.close() }
    #expect(coordinator.statistics.cleanupsWaiting == 0)
    coordinator.initiate(reason: "test")
    #expect(await coordinator.report.isClean)
    #expect(recorder.all == ["closed"])
  }
}
