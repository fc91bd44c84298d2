import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: a stop that somebody cannot wait for.
  @Suite struct MasterStopImpatience {
    /// A master whose worker hears nothing but KILL, and that would wait for a minute.
    private func patient(_ session: TestSession) async throws -> MasterRun {
      let fifo = try session.announcements()
      let master = try MasterRun(
        session, preamble: "[shutdown]\nworkers = \"120s\"",
        [
          TestWorker(
            "alpha", ["ignore", "TERM", "ignore", "INT", "ignore", "USR1", "tell", Bytes(fifo.path), "up"],
            "stop = [ { signal = \"TERM\", wait = \"50s\" }, { signal = \"USR1\", wait = \"50s\" } ]")
        ])
      try await fifo.expect("up")
      try await master.allReady()
      return master
    }

    @Test("a second INT goes on to the next step, a third to KILL")
    func hurry() async throws {
      try await withSession { session in
        let master = try await self.patient(session)
        master.process.send(SIGINT)
        try await master.expect("stopping: SIGINT")
        master.process.send(SIGINT)
        try await master.expect("interrupted again")
        let members = session.members()
        #expect(members.count == 2, "\(members)")
        master.process.send(SIGINT)
        let stopwatch = Stopwatch()
        #expect(try await master.process.end().ending == .exited(3))
        #expect(stopwatch.elapsed < MasterRun.soon)
      }
    }

    @Test("a second TERM changes nothing")
    func repeated() async throws {
      try await withSession { session in
        let master = try await self.patient(session)
        master.process.send(SIGTERM)
        try await master.expect("stopping: SIGTERM")
        for _ in 0..<3 {
          master.process.send(SIGTERM)
          try await master.expect("already stopping")
        }
        let members = session.members()
        #expect(members.count == 2, "\(members)")
        master.process.send(SIGQUIT)
        #expect(try await master.process.end().ending == .exited(3))
      }
    }

    @Test("QUIT kills at once, stopping or not", arguments: [true, false])
    func quit(_ stopping: Bool) async throws {
      try await withSession { session in
        let master = try await self.patient(session)
        if stopping {
          master.process.send(SIGTERM)
          try await master.expect("stopping: SIGTERM")
        }
        let stopwatch = Stopwatch()
        master.process.send(SIGQUIT)
        #expect(try await master.process.end().ending == .exited(3))
        #expect(stopwatch.elapsed < MasterRun.soon)
      }
    }

    @Test("impatience during the cleanups ends the one that runs, or all", arguments: [SIGINT, SIGQUIT])
    func impatientWithCleanups(_ signal: Int32) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        func cleanup(_ name: String) -> String {
          """
          [[cleanups]]
          name = "\(name)"
          command = ["\(Programs.workload)", "ignore", "TERM", "tell", "\(fifo.path)", "\(name)"]
          timeout = "60s"

          """
        }
        let master = try MasterRun(
          session, preamble: cleanup("first") + cleanup("last"), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        master.process.send(SIGTERM)
        try await fifo.expect("last")
        master.process.send(signal)
        if signal == SIGINT {
          // The next one runs all the same.
          try await fifo.expect("first")
          master.process.send(signal)
        }
        let stopwatch = Stopwatch()
        let result = try await master.process.end()
        #expect(result.ending == .exited(6))
        #expect(stopwatch.elapsed < .seconds(10))
        #expect(fifo.rest().isEmpty, "QUIT skips what has not begun")
        #expect(session.members().isEmpty)
      }
    }
  }
}
