import Dispatch
import Foundation
import GracefulShutdown
import Logging
import MetricsTestKit
import Testing

@Suite(.timeLimit(.minutes(1))) struct ProgressTests {
  let clock = VirtualClock()
  let recorder = Recorder()

  @Test func countsFallOneByOneAndAreSeen() async throws {
    let log = LogRecorder()
    let coordinator = ShutdownCoordinator(logger: log.logger, clock: self.clock)
    let gate = Gate()
    let registrations = try (1...3).map { number in
      try coordinator.register(
        TestClient(shutdownName: "client \(number)", behaviour: .hangsInClose(gate), recorder: self.recorder))
    }
    try coordinator.addCleanup("flush") {}
    #expect(coordinator.statistics.clientsConnected == 3)
    #expect(coordinator.statistics.cleanupsWaiting == 1)
    var progress = coordinator.progress.makeAsyncIterator()
    #expect(await progress.next()?.phase == .running)
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(10))
    for (index, registration) in registrations.enumerated() {
      registration.remove()
      var seen = await progress.next()
      while let now = seen, now.clientsConnected != 2 - index { seen = await progress.next() }
      #expect(seen?.clients.left == index + 1)
    }
    var last: ShutdownStatistics?
    while let now = await progress.next() { last = now }
    #expect(last?.phase == .finished)
    #expect(last?.cleanupsRun == 1)
    #expect(last?.clientsTold == 3)
    #expect(last?.clients.total == 3)
    #expect(await coordinator.report.clients.left == 3)
    let lines = log.all.map(\.message)
    for (index, number) in [2, 1, 0].enumerated() {
      #expect(lines.contains("client client \(index + 1) left, \(number) of 3 clients left"))
    }
    gate.open()
  }

  @Test func everyLineCarriesTheShutdownsIdAndThoseOfARequestItsOwn() async throws {
    let log = LogRecorder()
    let coordinator = ShutdownCoordinator(logger: log.logger, clock: self.clock)
    let token = try coordinator.beginRequest("slow search", correlation: "r-17")
    try coordinator.addCleanup("flush") { throw TestFailure("disk full") }
    coordinator.initiate(reason: "test")
    coordinator.initiate(reason: "again")
    #expect(throws: ShutdownError.self) { try coordinator.beginRequest("late", correlation: "r-18") }
    await self.clock.untilSomethingSleeps(for: .seconds(30))
    self.clock.advance(by: .seconds(30))
    await self.clock.untilSomethingSleeps(for: .seconds(1))
    self.clock.advance(by: .seconds(1))
    let report = await coordinator.report
    #expect(report.identifier == coordinator.identifier)
    #expect(coordinator.identifier.count == 16)
    #expect(report.failures.first?.correlation == "r-17")
    #expect(log.all.count >= 7)
    for line in log.all { #expect(line.metadata["shutdown-id"] == "\(report.identifier)") }
    func requests(_ prefix: String) -> [Logger.MetadataValue?] {
      log.all.filter { $0.message.contains(prefix) && !$0.message.contains("not clean") }
        .map { $0.metadata["request-id"] }
    }
    #expect(requests("slow search") == ["r-17"])
    #expect(requests("late refused") == ["r-18"])
    #expect(requests("disk full") == [nil])
    token.end()
    #expect(
      ShutdownCoordinator(logger: .silent).identifier != ShutdownCoordinator(logger: .silent).identifier)
  }

  @Test func statisticsSurviveJSON() async throws {
    let coordinator = ShutdownCoordinator(logger: .silent, clock: self.clock)
    let token = try coordinator.beginRequest("held")
    coordinator.initiate(reason: "test")
    self.clock.advance(by: .milliseconds(1204))
    let statistics = coordinator.statistics
    #expect(statistics.description == "requests after 1.204 s: 1 requests, 0 clients, 0 cleanups left")
    let data = try JSONEncoder().encode(statistics)
    #expect(try JSONDecoder().decode(ShutdownStatistics.self, from: data) == statistics)
    #expect(String(decoding: data, as: UTF8.self).contains("\"elapsedMicroseconds\":1204000"))
    token.end()
  }

  @Test func phasesAreMeasured() async throws {
    let metrics = TestMetrics()
    let coordinator = ShutdownCoordinator(logger: .silent, metrics: metrics, clock: self.clock)
    let token = try coordinator.beginRequest("held")
    try coordinator.addCleanup("flush") { throw TestFailure("disk full") }
    coordinator.initiate(reason: "test")
    #expect(throws: ShutdownError.self) { try coordinator.beginRequest("late") }
    await self.clock.untilSomethingSleeps(for: .seconds(30))
    self.clock.advance(by: .milliseconds(1500))
    token.end()
    _ = await coordinator.report
    let phase = try metrics.expectTimer("shutdown_phase_duration", [("phase", "requests")])
    #expect(phase.values == [1_500_000_000])
    #expect(try metrics.expectTimer("shutdown_duration").values == [1_500_000_000])
    #expect(try metrics.expectCounter("shutdown_failures_total", [("phase", "cleanups")]).totalValue == 1)
    #expect(try metrics.expectCounter("shutdown_completed_total", [("phase", "requests")]).totalValue == 1)
    #expect(try metrics.expectCounter("shutdown_requests_refused_total").totalValue == 1)
    #expect(try metrics.expectGauge("shutdown_requests_in_flight").values == [1, 0, 0])
  }

  // MARK: Flushes

  @Test func flushesRunLastInOrderAndBounded() async throws {
    let log = LogRecorder()
    let coordinator = ShutdownCoordinator(logger: log.logger, clock: self.clock)
    let recorder = self.recorder
    let blocker = DispatchSemaphore(value: 0)
    try coordinator.addFlush("logs") { recorder.add("logs after \(log.all.count(of: "shutdown clean"))") }
    try coordinator.addFlush("metrics") { throw TestFailure("no route") }
    try coordinator.addFlush("traces", timeout: .seconds(3)) {
      recorder.add("traces hang")
      blocker.wait()
    }
    let removed = try coordinator.addFlush("removed") { recorder.add("removed") }
    removed.remove()
    try coordinator.addCleanup("cleanup") { recorder.add("cleanup") }
    coordinator.initiate(reason: "test")
    await self.clock.untilSomethingSleeps(for: .seconds(3))
    #expect(coordinator.phase == .flushing)
    #expect(coordinator.statistics.current == "traces")
    #expect(throws: ShutdownError(.cleanupRefused, name: "late", reason: "test")) {
      try coordinator.addCleanup("late") {}
    }
    await self.recorder.until { $0.contains("traces hang") }
    self.clock.advance(by: .seconds(3))
    let report = await coordinator.report
    #expect(recorder.all == ["cleanup", "logs after 1", "traces hang"])
    #expect(report.phases.last?.phase == .flushing)
    #expect(report.phases.last?.total == 3)
    #expect(report.failures.map(\.name) == ["metrics", "traces"])
    #expect(report.exitStatus == 6)
    #expect(throws: ShutdownError.self) { try coordinator.addFlush("late") {} }
    blocker.signal()
  }
}

extension [LogRecorder.Line] {
  fileprivate func count(of text: String) -> Int { self.count { $0.message.contains(text) } }
}
