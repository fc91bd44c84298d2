import Glibc
import Testing

extension SystemTests {
  /// After whatever exit status, the next start of the same configuration works at once.
  ///
  /// For the others, pairs of them and faults, the tests that provoke them show it.
  @Suite struct MasterNextStart {
    /// What is obeyed has all the time that a busy machine may take; only what is not is short.
    private static func stop(_ request: String = "12s", _ signal: String = "12s") -> String {
      "stop = [ { request = \"POST /shutdown\", wait = \"\(request)\" }, { signal = \"TERM\", wait = \"\(signal)\" }, { signal = \"KILL\" } ]"
    }
    private static let cleanup = "[[cleanups]]\nname = \"flush\"\ncommand = [\"/bin/false\"]"

    /// A configuration and what its stop must come to: each alone, and pairs of which the graver decides.
    struct Case: Sendable, CustomTestStringConvertible {
      var status: Int32
      var actions: [Bytes]
      var stop = MasterNextStart.stop()
      var preamble = ""
      var says: [String] = []
      var testDescription: String { "\(self.status): \(self.says)" }
    }

    private static let cases = [
      Case(status: 0, actions: ["http", "{port}"]),
      Case(
        status: 2, actions: ["http-stubborn", "{port}"], stop: stop("200ms"), says: ["alpha needed a signal"]),
      Case(
        status: 3, actions: ["ignore", "TERM", "http-stubborn", "{port}"], stop: stop("200ms", "200ms"),
        says: ["alpha needed KILL"]),
      Case(
        status: 6, actions: ["http", "{port}"], preamble: cleanup,
        says: [
          "warning procctl: cleanup flush failed: exited with status 1",
          "stopped: cleanup failed: flush: exited with status 1",
        ]),
      Case(
        status: 6, actions: ["http-stubborn", "{port}"], stop: stop("200ms"), preamble: cleanup,
        says: ["cleanup flush", "alpha needed a signal"]),
      Case(
        status: 6, actions: ["ignore", "TERM", "http-stubborn", "{port}"], stop: stop("200ms", "200ms"),
        preamble: cleanup,
        says: ["cleanup flush", "alpha needed KILL"]),
    ]

    @Test func again() async throws {
      try await concurrently(MasterNextStart.cases) { try await self.again($0) }
    }

    private func again(_ provoked: Case) async throws {
      try await withSession { session in
        let port = try session.freePort()
        let worker = TestWorker("alpha", provoked.actions, port: port, ready: "tcp", provoked.stop)
        for _ in 0..<2 {
          let master = try MasterRun(session, preamble: provoked.preamble, [worker])
          try await master.allReady()
          let result = try await master.stop().result
          #expect(result.ending == .exited(provoked.status), "\(provoked.testDescription): \(result.errors)")
          for text in provoked.says { #expect(result.errors.contains(text), "\(provoked.testDescription)") }
          #expect(!result.errors.contains("blocked"))
        }
        let last = try MasterRun(
          session, [TestWorker("alpha", ["http", "{port}"], port: port, ready: "tcp", Self.stop())])
        try await last.allReady()
        #expect(try await last.stop().result.ending == .exited(0))
      }
    }

    @Test("4 above 6 above 3: a held port, a failed cleanup and a worker that needed KILL")
    func heldPort() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let borrower = try SocketBorrower(path: session.path("lend"))
        let master = try MasterRun(
          session, preamble: "[shutdown]\nports = \"300ms\"\n\n\(Self.cleanup)",
          [
            TestWorker(
              "alpha", ["ignore", "TERM", "lend-listener", "{port}", Bytes(borrower.path)], port: port,
              "contain = \"session\"", Self.stop("200ms", "200ms"))
          ])
        let socket = try await borrower.borrowed()
        try await master.allReady()
        let result = try await master.stop().result
        #expect(result.ending == .exited(4), "\(result.errors)")
        for text in ["alpha needed KILL", "cleanup flush", "port \(port) (alpha) held by"] {
          #expect(result.errors.contains(text), "\(result.errors)")
        }
        close(socket)
        let next = try MasterRun(
          session, [TestWorker("alpha", ["listen", "{port}"], port: port, ready: "tcp")])
        try await next.allReady()
        #expect(try await next.stop().result.ending == .exited(0))
      }
    }
  }
}
