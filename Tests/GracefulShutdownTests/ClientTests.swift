import Dispatch
import GracefulShutdown
import Testing

@Suite(.timeLimit(.minutes(1))) struct ClientTests {
  let clock = VirtualClock()
  let recorder = Recorder()

  func coordinator() -> ShutdownCoordinator { ShutdownCoordinator(logger: .silent, clock: self.clock) }

  func client(_ name: String, _ behaviour: TestClient.Behaviour = .orderly) -> TestClient {
    TestClient(shutdownName: name, behaviour: behaviour, recorder: self.recorder)
  }

  @Test func clientsAreToldWhileRequestsRunAndClosedAfter() async throws {
    let coordinator = self.coordinator()
    let token = try coordinator.beginRequest("held")
    _ = try coordinator.register(self.client("stream"))
    #expect(coordinator.clientCount == 1)
    coordinator.initiate(reason: "maintenance")
    await self.recorder.until { !$0.isEmpty }
    #expect(self.recorder.all == ["stream notified: maintenance"])
    #expect(coordinator.phase == .drainingRequests)
    token.end()
    let report = await coordinator.report
    #expect(self.recorder.all == ["stream notified: maintenance", "stream closed"])
    #expect(report.isClean)
    #expect(report.phases[1].total == 1)
    #expect(coordinator.clientCount == 0)
  }

  @Test func brokenClientsDelayNobodyAndAreNamed() async throws {
    let coordinator = self.coordinator()
    let gate = Gate()
    let behaviours: [(String, TestClient.Behaviour)] = [
      ("deaf", .hangsInNotify(gate)), ("stuck", .hangsInClose(gate)), ("rude", .throwsInNotify),
      ("torn", .throwsInClose), ("good", .orderly),
    ]
    for (name, behaviour) in behaviours { _ = try coordinator.register(self.client(name, behaviour)) }
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(10))
    await self.recorder.until { entries in
      entries.contains("good closed") && entries.filter { $0.hasSuffix("aborted") }.count == 2
    }
    self.clock.advance(by: .seconds(10))
    let report = await coordinator.report
    let aborted = self.recorder.all.filter { $0.hasSuffix("aborted") }
    #expect(Set(aborted) == ["deaf aborted", "stuck aborted", "rude aborted", "torn aborted"])
    #expect(aborted.count == 4)
    #expect(report.phases[1].outcome == .timedOut)
    #expect(report.phases[1].completed == 1)
    #expect(report.phases[1].duration == .seconds(10))
    #expect(
      report.failures.map { "\($0.name): \($0.outcome): \($0.detail)" } == [
        "deaf: timed out: dropped after 10.000 s", "stuck: timed out: dropped after 10.000 s",
        "rude: failed: notify broke", "torn: failed: close broke",
      ])
    // What comes back late finds everything over.
    gate.open()
    #expect(!self.recorder.all.contains("deaf closed"))
  }

  /// It must not block; one that does holds up no exit.
  @Test func anAbortThatBlocksIsLeftBehind() async throws {
    struct Blocking: ShutdownClient {
      let shutdownName = "blocking"
      let gate: Gate
      let blocker: DispatchSemaphore
      let recorder: Recorder

      func notify(_ reason: ShutdownReason) async throws { await self.gate.wait() }
      func close() async throws {}
      func abort() {
        self.recorder.add("aborting")
        self.blocker.wait()
      }
    }
    let coordinator = self.coordinator()
    let gate = Gate()
    let blocker = DispatchSemaphore(value: 0)
    _ = try coordinator.register(Blocking(gate: gate, blocker: blocker, recorder: self.recorder))
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(10))
    self.clock.advance(by: .seconds(10))
    await self.recorder.until { $0 == ["aborting"] }
    await self.clock.untilSomethingSleeps(for: .seconds(1))
    self.clock.advance(by: .seconds(1))
    let report = await coordinator.report
    #expect(report.clients.dropped == 1)
    #expect(report.duration == .seconds(11))
    blocker.signal()
    gate.open()
  }

  @Test func failuresAloneDoNotWaitForTheTimeout() async throws {
    let coordinator = self.coordinator()
    _ = try coordinator.register(self.client("rude", .throwsInNotify))
    coordinator.initiate(reason: "test")
    let report = await coordinator.report
    #expect(report.phases[1].outcome == .failed)
    #expect(report.duration == .zero)
  }

  @Test func aClientThatLeavesByItselfIsNotWaitedFor() async throws {
    let coordinator = self.coordinator()
    let gate = Gate()
    let registration = try coordinator.register(self.client("leaving", .hangsInClose(gate)))
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(10))
    registration.remove()
    registration.remove()
    let report = await coordinator.report
    #expect(report.isClean)
    #expect(!self.recorder.all.contains("leaving aborted"))
    gate.open()
  }

  @Test func clientsAreRefusedOnceStopping() async throws {
    let coordinator = self.coordinator()
    coordinator.initiate(reason: "test")
    #expect(throws: ShutdownError(.clientRefused, name: "late", reason: "test")) {
      _ = try coordinator.register(self.client("late"))
    }
    #expect(await coordinator.report.phases[1].total == 0)
  }
}
