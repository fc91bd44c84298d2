import Testing

extension SystemTests {
  /// `procctl run`: the stop of many workers, whatever they are doing.
  @Suite struct MasterStopMany {
    @Test("a hundred workers that take 300 ms each are stopped in the time of one", .timeLimit(.minutes(2)))
    func hundred() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          (0..<100).map {
            TestWorker("w\($0)", ["slow-exit", "TERM", "300", "tell", Bytes(fifo.path), "up"])
          })
        _ = try await fifo.expect(100, of: "up", within: .seconds(60))
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        // One after the other it would be 30 s.
        #expect(took >= .milliseconds(300) && took < .seconds(8))
      }
    }

    @Test("a hundred servers on a hundred ports are asked and verified all at once", .timeLimit(.minutes(2)))
    func hundredServers() async throws {
      try await withSession { session in
        let master = try MasterRun(
          session,
          try (0..<100).map {
            TestWorker("w\($0)", ["http", "{port}"], port: try session.freePort(), ready: "http:/health")
          })
        try await master.expect("all workers are ready", within: .seconds(60))
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(took < MasterRun.soon)
        #expect(session.listeningPorts().isEmpty)
      }
    }

    @Test("a stop while workers start, wait for their port, or are in back-off is a stop all the same")
    func early() async throws {
      try await withSession { session in
        let socket = try LoopbackSocket(listens: true)
        let port = try session.freePort()
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker("blocked", ["http", "{port}"], port: socket.port, ready: "tcp"),
            TestWorker("slow", ["tell", Bytes(fifo.path), "up", "hold"], port: port, ready: "tcp"),
            TestWorker("broken", ["exit", "1"], "backoff = { first = \"60s\", max = \"60s\" }"),
            TestWorker("absent", []),
          ].map { worker in
            var worker = worker
            if worker.name == "absent" { worker.command = ["/nowhere/at/all"] }
            return worker
          })
        try await fifo.expect("up")
        try await master.expect("broken backoff")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < MasterRun.soon)
      }
    }
  }
}
