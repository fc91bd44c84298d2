import GracefulShutdown
import Logging
import Testing

@Suite(.timeLimit(.minutes(1))) struct RequestTests {
  let clock = VirtualClock()

  func coordinator(timeouts: ShutdownTimeouts = ShutdownTimeouts()) -> ShutdownCoordinator {
    ShutdownCoordinator(timeouts: timeouts, logger: .silent, clock: self.clock)
  }

  @Test func withNothingToDoItIsCleanAtOnce() async {
    let coordinator = self.coordinator()
    #expect(!coordinator.isShuttingDown)
    #expect(coordinator.phase == .running)
    #expect(coordinator.initiate(reason: .signal("SIGTERM")))
    #expect(coordinator.isShuttingDown)
    let report = await coordinator.report
    #expect(report.isClean)
    #expect(report.duration == .zero)
    #expect(report.reason == "received SIGTERM")
    #expect(report.phases.map(\.phase) == [.drainingRequests, .disconnectingClients, .cleaningUp])
    #expect(coordinator.phase == .finished)
    #expect(self.clock.sleeperCount == 0)
  }

  @Test func onlyTheFirstInitiationCounts() async throws {
    let coordinator = self.coordinator()
    let token = try coordinator.beginRequest("held")
    #expect(coordinator.initiate(reason: "first"))
    #expect(!coordinator.initiate(reason: "second"))
    #expect(!coordinator.initiate(reason: "third"))
    #expect(coordinator.reason == "first")
    token.end()
    let report = await coordinator.report
    #expect(report.reason == "first")
    #expect(report.refusedInitiations == 2)
  }

  @Test func requestsAreRefusedOnceStoppingAndNotBefore() async throws {
    let coordinator = self.coordinator()
    #expect(try await coordinator.withRequest("before") { 7 } == 7)
    let held = try coordinator.beginRequest("held")
    coordinator.initiate(reason: "test")
    await #expect(throws: ShutdownError(.requestRefused, name: "after", reason: "test")) {
      try await coordinator.withRequest("after") { Issue.record("ran") }
    }
    #expect(throws: ShutdownError.self) { try coordinator.beginRequest("after, too") }
    held.end()
    #expect(await coordinator.report.refusedRequests == 2)
  }

  @Test func whatARequestThrowsReachesItsCallerAndTheCountFalls() async {
    let coordinator = self.coordinator()
    await #expect(throws: TestFailure.self) {
      try await coordinator.withRequest("failing") { throw TestFailure("broken") }
    }
    #expect(coordinator.requestCount == 0)
  }

  @Test func cancellingTheCallerCancelsTheRequest() async {
    let coordinator = self.coordinator()
    let clock = self.clock
    let task = Task {
      try await coordinator.withRequest("sleeping") { try await clock.sleep(for: .seconds(9)) }
    }
    await self.clock.untilSomethingSleeps(for: .seconds(9))
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func theWaitEndsWithTheLastRequestAndNotWithTheTimeout() async throws {
    let coordinator = self.coordinator()
    let first = try coordinator.beginRequest("first")
    let second = try coordinator.beginRequest("second")
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(30))
    self.clock.advance(by: .seconds(3))
    first.end()
    first.end()
    #expect(coordinator.phase == .drainingRequests)
    #expect(coordinator.requestCount == 1)
    self.clock.advance(by: .seconds(4))
    second.end()
    let report = await coordinator.report
    #expect(report.isClean)
    #expect(report.phases.first?.duration == .seconds(7))
    #expect(report.phases.first?.total == 2)
    #expect(report.phases.first?.completed == 2)
  }

  @Test func overstayersAreCancelledAndNamed() async throws {
    let coordinator = self.coordinator()
    let clock = self.clock
    let recorder = Recorder()
    let request = Task {
      try await coordinator.withRequest("slow search") {
        do { try await clock.sleep(for: .seconds(3600)) } catch {
          recorder.add("cancelled")
          throw error
        }
      }
    }
    await self.clock.untilSomethingSleeps(for: .seconds(3600))
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(30))
    #expect(recorder.all == [])
    self.clock.advance(by: .seconds(30))
    let report = await coordinator.report
    await #expect(throws: CancellationError.self) { try await request.value }
    #expect(recorder.all == ["cancelled"])
    #expect(!report.isClean)
    #expect(report.phases.first?.outcome == .timedOut)
    #expect(report.failures.map(\.name) == ["slow search"])
    #expect(report.failures.map(\.detail) == ["cancelled after 30.000 s"])
    #expect(report.duration == .seconds(30))
  }

  @Test func aRequestThatIgnoresItsCancellationHoldsNothing() async throws {
    let coordinator = self.coordinator()
    let gate = Gate()
    let recorder = Recorder()
    let started = Gate()
    let request = Task {
      try await coordinator.withRequest("deaf") {
        started.open()
        await gate.wait()
      }
    }
    await started.wait()
    let token = try coordinator.beginRequest("token")
    token.onCancel { recorder.add("token cancelled") }
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(30))
    self.clock.advance(by: .seconds(30))
    await self.clock.untilSomethingSleeps(for: .seconds(1))
    self.clock.advance(by: .seconds(1))
    let report = await coordinator.report
    #expect(recorder.all == ["token cancelled"])
    #expect(
      report.failures.map(\.detail) == [
        "cancelled after 30.000 s, still running", "cancelled after 30.000 s, still running",
      ])
    // A handler that comes too late is called at once.
    token.onCancel { recorder.add("late") }
    #expect(recorder.all == ["token cancelled", "late"])
    gate.open()
    try await request.value
  }

  @Test func aTokenLetGoEndsItsRequest() throws {
    let coordinator = self.coordinator()
    do {
      let token = try coordinator.beginRequest("dropped")
      #expect(coordinator.requestCount == 1)
      withExtendedLifetime(token) {}
    }
    #expect(coordinator.requestCount == 0)
  }

  @Test func phasesAreSeenInOrderByEverybody() async throws {
    let coordinator = self.coordinator()
    let early = coordinator.phases
    let token = try coordinator.beginRequest("held")
    coordinator.initiate(reason: "test")
    let late = coordinator.phases
    token.end()
    var seen: [ShutdownPhase] = []
    for await phase in early { seen.append(phase) }
    #expect(seen == [.running, .drainingRequests, .disconnectingClients, .cleaningUp, .finished])
    seen = []
    for await phase in late { seen.append(phase) }
    #expect(seen == [.drainingRequests, .disconnectingClients, .cleaningUp, .finished])
    seen = []
    for await phase in coordinator.phases { seen.append(phase) }
    #expect(seen == [.finished])
  }

  @Test func anObserverMayLeave() async throws {
    let coordinator = self.coordinator()
    let watching = Task { for await _ in coordinator.phases {} }
    watching.cancel()
    await watching.value
    coordinator.initiate(reason: "test")
    #expect(await coordinator.report.isClean)
  }

  @Test func aThousandRequestsEndingTogetherEndTheWaitOnce() async throws {
    let coordinator = self.coordinator()
    let gate = Gate()
    let started = Recorder()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<1000 {
        group.addTask {
          try await coordinator.withRequest("request \(number)") {
            started.add("\(number)")
            await gate.wait()
          }
        }
      }
      await started.until { $0.count == 1000 }
      coordinator.initiate(reason: "test")
      gate.open()
      try await group.waitForAll()
    }
    let report = await coordinator.report
    #expect(report.isClean)
    #expect(report.phases.first?.completed == 1000)
  }
}

extension Logger {
  static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
