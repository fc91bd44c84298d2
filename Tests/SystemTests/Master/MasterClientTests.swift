import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: clients of its workers when it stops.
  @Suite struct MasterClients {
    /// The worker waits for its clients; obeys INT whoever is there.
    private let patient =
      "stop = [ { signal = \"TERM\", wait = \"10s\" }, { signal = \"INT\", wait = \"5s\" } ]"

    private func worker(
      _ name: String = "alpha", port: UInt16, answer: Bytes = "hang", before actions: [Bytes] = [],
      _ lines: String
    ) -> TestWorker {
      TestWorker(name, actions + ["serve", "{port}", "-", answer], port: port, ready: "tcp", lines)
    }

    @Test("0: the clients leave in time, and the stop ends as soon as they have")
    func leaving() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session, [self.worker(port: port, before: ["drain-on", "TERM"], self.patient)])
        try await master.allReady()
        let clients = try (0..<2).map { _ in try TestClient(port: port) }
        master.process.send(SIGTERM)
        try await master.expect("alpha: 2 clients are connected")
        let stopwatch = Stopwatch()
        for client in clients { client.leave() }
        let result = try await master.process.end()
        #expect(result.ending == .exited(0))
        #expect(stopwatch.elapsed < .seconds(8), "the worker would have 10 s")
        #expect(!result.errors.contains("by force"))
      }
    }

    @Test(
      "1: the clients stay and are disconnected; the port can be had again at once, even without SO_REUSEADDR",
      .needs(.root, "SOCK_DESTROY takes CAP_NET_ADMIN"))
    func staying() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let worker = self.worker(port: port, before: ["drain-on", "TERM", "no-reuse"], self.patient)
        func start() throws -> MasterRun {
          try MasterRun(session, preamble: "[shutdown]\nclients = \"300ms\"", [worker])
        }
        let master = try start()
        try await master.allReady()
        let clients = try (0..<2).map { _ in try TestClient(port: port) }
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(1))
        #expect(took >= .milliseconds(300) && took < .seconds(8))
        #expect(result.errors.contains("alpha: 2 clients disconnected by force"), "\(result.errors)")
        #expect(result.errors.contains("stopped: clients were disconnected by force"))
        for client in clients { #expect(try await client.end() == ECONNRESET) }

        // The negative control: nobody there, nobody disconnected.
        let second = try start()
        try await second.allReady()
        let quiet = try await second.stop().result
        #expect(quiet.ending == .exited(0))
        #expect(!quiet.errors.contains("client"), "\(quiet.errors)")
      }
    }

    @Test(
      "1: who has not been accepted is a client; somebody else with the port on another address is not",
      .needs(.root, "SOCK_DESTROY takes CAP_NET_ADMIN"))
    func onlyItsOwn() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let elsewhere = try LoopbackSocket(listens: true)
        let stranger = try TestClient(port: elsewhere.port, from: (0x7f00_0002, port))
        // It dies of TERM only long after the clients' time.
        let master = try MasterRun(
          session, preamble: "[shutdown]\nclients = \"200ms\"",
          [
            TestWorker(
              "alpha", ["slow-exit", "TERM", "2000", "listen", "{port}"], port: port, ready: "none",
              self.patient)
          ])
        try await master.allReady()
        var client: TestClient?
        let deadline = Deadline(in: .seconds(10))
        while client == nil, !deadline.hasPassed { client = try? TestClient(port: port) }
        let result = try await master.stop().result
        #expect(result.ending == .exited(1))
        #expect(result.errors.contains("alpha: 1 client disconnected by force"), "\(result.errors)")
        #expect(try await client?.end() == ECONNRESET)
        #expect(stranger.isConnected)
      }
    }

    @Test("2: where connections cannot be destroyed, the worker is pushed on, and its end is the force")
    func withoutTheRight() async throws {
      try await withSession { session in
        let port = try session.freePort()
        for (patience, wait) in [("300ms", "15s"), ("30s", "2s")] {
          let start = Stopwatch()
          let master = try MasterRun(
            session, preamble: "[shutdown]\nclients = \"\(patience)\"",
            [
              self.worker(
                port: port, before: ["drain-on", "TERM"],
                "stop = [ { signal = \"TERM\", wait = \"\(wait)\" }, { signal = \"INT\", wait = \"12s\" } ]")
            ], prelude: ["without-net-admin"])
          try await master.allReady()
          let client = try TestClient(port: port)
          let (result, took) = try await master.stop()
          #expect(result.ending == .exited(2), "\(start.elapsed)")
          #expect(
            result.errors.contains("alpha: cannot disconnect 1 client: it takes CAP_NET_ADMIN")
              == (patience == "300ms"), "\(result.errors)")
          #expect(result.errors.contains("alpha: 1 client disconnected by force"))
          #expect(result.errors.contains("clients were disconnected by force; alpha needed a signal"))
          // Its steps have their own time if that of the clients is longer.
          #expect(patience == "300ms" ? took < .seconds(10) : took >= .seconds(2))
          #expect(try await client.end() == 0)
        }
      }
    }

    @Test("3: it takes KILL with a client connected; 0: a worker that ends as asked, whoever is connected")
    func byItsEnd() async throws {
      try await withSession { session in
        let ports = try (0..<2).map { _ in try session.freePort() }
        let deaf = self.worker(
          port: ports[0], before: ["ignore", "TERM"],
          "stop = [ { signal = \"TERM\", wait = \"400ms\" }, { signal = \"KILL\" } ]")
        let killed = try MasterRun(session, [deaf], prelude: ["without-net-admin"])
        try await killed.allReady()
        let client = try TestClient(port: ports[0])
        let hard = try await killed.stop().result
        #expect(hard.ending == .exited(3))
        #expect(hard.errors.contains("clients were disconnected by force; alpha needed KILL"))
        #expect(try await client.end() == 0)

        let polite = try MasterRun(
          session, [self.worker(port: ports[1], before: ["exit-on", "TERM", "0"], self.patient)])
        try await polite.allReady()
        let other = try TestClient(port: ports[1])
        let soft = try await polite.stop().result
        #expect(soft.ending == .exited(0))
        #expect(!soft.errors.contains("by force"), "\(soft.errors)")
        #expect(try await other.end() == 0)
      }
    }

    @Test("only the worker with clients is waited for; its answer tells of them")
    func oneOfTwo() async throws {
      try await withSession { session in
        let ports = try (0..<2).map { _ in try session.freePort() }
        let lines = "stop = [ { request = \"POST /shutdown\", wait = \"10s\" } ]"
        let master = try MasterRun(
          session,
          [
            self.worker("alpha", port: ports[0], answer: "ok", lines),
            self.worker("beta", port: ports[1], answer: "ok", lines),
          ])
        try await master.allReady()
        let clients = try (0..<3).map { _ in try TestClient(port: ports[1]) }
        master.process.send(SIGTERM)
        // Either may be first; alpha may even have ended before its answer is read.
        for line in ["alpha stopped", "beta: it stops, with 3 clients and 0 requests"] {
          _ = try await master.log.expect(line, from: 0, within: .seconds(15))
        }
        clients[0].leave()
        clients[1].leave()
        #expect(!master.said.contains("beta stopped"))
        let stopwatch = Stopwatch()
        clients[2].leave()
        #expect(try await master.process.end().ending == .exited(0))
        #expect(stopwatch.elapsed < .seconds(8), "beta would have 10 s")
      }
    }
  }
}
