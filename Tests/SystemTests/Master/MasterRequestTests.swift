import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: what workers answer to the request to stop, over TCP and Unix sockets.
  @Suite struct MasterRequests {
    /// Answers, and whether they are taken for a yes. After a yes the worker ends by itself.
    private static let answers: [(name: String, isYes: Bool)] = [
      ("ok", true), ("ok-now", true), ("huge", true), ("drip-body", true), ("404", false), ("garbage", false),
      ("close", false), ("hang", false), ("drip", false),
    ]

    /// All at once, for those that take their five seconds. The clients' time is zero: the requests
    /// themselves are not taken for clients.
    @Test("a yes is waited for; everything else leads to the next step, at once or after five seconds")
    func answers() async throws {
      try await withSession { session in
        var workers: [TestWorker] = []
        for (name, _) in Self.answers {
          let port = try session.freePort()
          workers.append(
            TestWorker(
              "tcp-\(name)", ["serve", "{port}", "-", Bytes(name)], port: port, ready: "tcp",
              "stop = [ { request = \"POST /shutdown\", wait = \"12s\" }, { signal = \"TERM\", wait = \"3s\" } ]"
            ))
          workers.append(
            TestWorker(
              "unix-\(name)",
              ["serve", "0", Bytes(session.path("unix-\(name)")), Bytes(name)],
              "stop = [ { request = \"POST /shutdown\", socket = \"{name}\", wait = \"12s\" }, { signal = \"TERM\", wait = \"3s\" } ]"
            ))
        }
        let master = try MasterRun(session, preamble: "[shutdown]\nclients = \"0\"", workers)
        try await master.allReady()
        try await self.untilThere(Self.answers.map { session.path("unix-\($0.name)") })
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(2))
        #expect(took >= .seconds(5) && took < .seconds(11))
        for (name, isYes) in Self.answers {
          for kind in ["tcp", "unix"] {
            let log = result.errors.split(separator: "\n").filter { $0.contains(" \(kind)-\(name)") }
              .joined(separator: "\n")
            #expect(log.contains("SIGTERM to") == !isYes, "\(log)")
            #expect(log.contains(" failed: ") == !isYes, "\(log)")
            #expect(log.contains("stopped") && !log.contains("client "), "\(log)")
          }
        }
        // Those that do not answer cost their five seconds, and no other worker waits for that.
        let first = try #require(result.errors.firstRange(of: "tcp-404 stopped"))
        let last = try #require(result.errors.firstRange(of: "tcp-hang: SIGTERM"))
        #expect(first.lowerBound < last.lowerBound)
        #expect(
          result.errors.contains(
            "unix-404: POST /shutdown on \(session.path("unix-404")) failed: HTTP status 404"))
      }
    }

    /// Nothing tells a test that a socket is there; it is bound and listened to in one go.
    private func untilThere(_ paths: [String]) async throws {
      let deadline = Deadline(in: .seconds(10))
      for path in paths {
        while access(path, F_OK) != 0 {
          guard !deadline.hasPassed else { throw WaitError("no socket \(path)") }
          await Task.yield()
        }
      }
    }

    @Test("a Unix socket on which somebody else listens, or nobody, is not asked")
    func foreignSocket() async throws {
      try await withSession { session in
        let path = session.path("foreign")
        let stranger = try session.workload(["serve", "0", Bytes(path), "ok-now"])
        try await self.untilThere([path])
        let lines = { (socket: String) in
          "stop = [ { request = \"POST /shutdown\", socket = \"\(socket)\", wait = \"10s\" }, { signal = \"TERM\", wait = \"3s\" } ]"
        }
        let master = try MasterRun(
          session,
          [
            TestWorker("alpha", ["hold"], lines("foreign")), TestWorker("beta", ["hold"], lines("nobody")),
            TestWorker(
              "gamma", ["serve", "0", "@\(session.path("abstract"))", "ok"],
              lines("@\(session.path("abstract"))")),
          ])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(2))
        #expect(took < .seconds(8))
        #expect(
          result.errors.contains(
            "alpha: POST /shutdown on \(path) failed: pid \(stranger.pid) listens there, which is none of its processes"
          ),
          "\(result.errors)")
        #expect(result.errors.contains("beta: POST /shutdown on \(session.path("nobody")) failed: "))
        // The stranger would have ended; the negative control is in the other test.
        #expect(ProcTable.process(stranger.pid)?.isZombie == false)
        stranger.send(SIGKILL)
        _ = try await stranger.end()
      }
    }
  }
}
