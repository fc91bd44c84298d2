import Foundation
import GracefulShutdown
import Testing

@Suite(.timeLimit(.minutes(1))) struct ReportTests {
  let clock = VirtualClock()

  /// A request of 1.5 s, a client that throws, and a cleanup of two.
  func report() async throws -> ShutdownReport {
    let coordinator = ShutdownCoordinator(logger: .silent, clock: self.clock)
    let token = try coordinator.beginRequest("held")
    _ = try coordinator.register(
      TestClient(shutdownName: "torn", behaviour: .throwsInClose, recorder: Recorder()))
    try coordinator.addCleanup("flush") {}
    coordinator.initiate(reason: .requested(by: "POST /shutdown"))
    await self.clock.untilSomethingSleeps(for: .seconds(30))
    self.clock.advance(by: .milliseconds(1500))
    token.end()
    return await coordinator.report
  }

  @Test func oneLine() async throws {
    #expect(
      try await self.report().description
        == "not clean in 1.500 s (requested by POST /shutdown): requests 1/1, clients 0/1, cleanups 1/1; torn: close broke"
    )
  }

  @Test func table() async throws {
    #expect(
      try await self.report().table == """
        shutdown: requested by POST /shutdown
        phase     start  duration  done  outcome
        requests  0.000     1.500   1/1  completed
        clients   1.500     0.000   0/1  failed
        cleanups  1.500     0.000   1/1  completed
        clients: torn: close broke
        """)
  }

  @Test func survivesJSON() async throws {
    let report = try await self.report()
    let data = try JSONEncoder().encode(report)
    #expect(try JSONDecoder().decode(ShutdownReport.self, from: data) == report)
    let text = String(decoding: data, as: UTF8.self)
    #expect(text.contains("\"durationMicroseconds\":1500000"))
    #expect(text.contains("\"phase\":\"requests\""))
  }
}
