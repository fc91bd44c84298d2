import Glibc
import Testing

extension SystemTests {
  /// A disk that does not answer: write(2) to it returns when it likes.
  @Suite struct HungDisk {
    /// What stands between a directory and who writes to it.
    private struct Withholding {
      let process: TestProcess
      let fifo: Announcements

      init(_ session: TestSession, _ directory: String) async throws {
        self.fifo = try session.announcements("withholding")
        self.process = try session.workload([
          "withhold", Bytes(directory), Bytes(self.fifo.path), "\(getpid())",
        ])
        try await self.fifo.expect("watching")
      }

      func begin() async throws {
        self.process.send(SIGUSR1)
        try await self.fifo.expect("withholding")
      }

      func end() async throws {
        self.process.send(SIGUSR2)
        try await self.fifo.expect("answering")
      }

      func stop() async throws {
        self.process.send(SIGKILL)
        try await self.process.end()
      }
    }

    private func text(_ session: TestSession, _ name: String) -> String {
      ProcTable.text(session.path("logs/\(name)")) ?? ""
    }

    /// A master that has written all it had to say of its start.
    private func master(
      _ session: TestSession, _ workers: [TestWorker], prelude: [Bytes] = []
    ) async throws -> MasterRun {
      let master = try MasterRun(
        session, preamble: "[master]\nlog-directory = \"\(session.path("logs"))\"", workers, prelude: prelude)
      try await master.allReady()
      // Control: while the disk answers, lines arrive.
      try await session.until("the debug log has it") {
        self.text(session, "debug.log").contains("all workers are ready")
      }
      return master
    }

    private func untilSaid(_ session: TestSession, _ master: MasterRun, _ text: String) async throws {
      try await session.until("it says \(text)", within: .seconds(20)) {
        // A line for the debug log.
        master.process.send(SIGWINCH)
        return master.said.contains(text)
      }
    }

    @Test(
      "the master goes on, answers, and stops in time", .timeLimit(.minutes(2)),
      .needs(.withheldWrites, "a disk that does not answer"), arguments: [true, false])
    func stops(hangs: Bool) async throws {
      try await withSession { session in
        try #require(mkdir(session.path("logs"), 0o755) == 0)
        let withholding = try await Withholding(session, session.path("logs"))
        let port = try session.freePort()
        let fifo = try session.announcements()
        let master = try await self.master(
          session,
          [
            TestWorker("polite", ["http", "{port}"], port: port, ready: "http:/health"),
            TestWorker("short", ["tell", Bytes(fifo.path), "short"]),
          ])
        let short = try #require(try await fifo.expect("short")["short"])
        if hangs {
          try await withholding.begin()
          master.process.send(SIGWINCH)
          #expect(try await withholding.fifo.expect("held")["held"] == master.pid)
          try await self.untilSaid(
            session, master, "a disk does not answer; what is to be written to it waits")
          // The loop has its own thread: it sees an end, and starts nobody whose log would keep it.
          kill(short, SIGKILL)
          try await master.expect("short blocked: open the log \(session.path("logs/short.log"))")
        }
        let status = try await session.procctl(
          "status", Bytes(session.path("procctl.toml"))
        ).end()
        // It says with its status that not all of them are ready.
        #expect(status.ending == .exited(hangs ? 1 : 0) && status.outputText.contains("polite"))
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(took < .seconds(20))
        #expect(result.errors.contains("stopped: clean"))
        #expect(result.errors.contains("a disk does not answer: ") == hangs)
        if hangs { try await withholding.end() }
        #expect(self.text(session, "debug.log").contains("stopped: clean") != hangs)
        let isRecorded = ProcTable.names(session.path("logs")).contains { $0.hasSuffix(".shutdown.json") }
        #expect(isRecorded != hangs)
        try await withholding.stop()
      }
    }

    @Test(
      "what waited is written once it answers again, in order", .timeLimit(.minutes(2)),
      .needs(.withheldWrites, "a disk that does not answer"))
    func goesOn() async throws {
      try await withSession { session in
        try #require(mkdir(session.path("logs"), 0o755) == 0)
        let withholding = try await Withholding(session, session.path("logs"))
        let fifo = try session.announcements()
        let master = try await self.master(
          session, [TestWorker("alpha", ["tell", Bytes(fifo.path), "alpha"])])
        let alpha = try #require(try await fifo.expect("alpha")["alpha"])
        try await withholding.begin()
        master.process.send(SIGUSR1)
        #expect(try await withholding.fifo.expect("held")["held"] == master.pid)
        try await self.untilSaid(session, master, "a disk does not answer")
        kill(alpha, SIGKILL)
        try await master.expect("alpha blocked: open the log")
        #expect(!master.said.contains("logs reopened"))
        try await withholding.end()
        // Its log can be opened again.
        try await fifo.expect("alpha", within: .seconds(30))
        #expect(try await master.stop().result.ending == .exited(0))
        for line in ["the disk answers again", "logs reopened"] { #expect(master.said.contains(line)) }
        let history = ProcTable.names(session.path("logs")).first { $0.hasSuffix(".history") }
        let events = try #require(history.map { self.text(session, $0) })
        #expect(events.contains("leader-ended") && events.components(of: "\"started\"") == 2)
        let debug = self.text(session, "debug.log")
        var rest = debug[...]
        for line in ["ignored SIGWINCH", "a disk does not answer", "logs reopened", "stopped: clean"] {
          let found = try #require(rest.firstRange(of: line), "\(line)")
          rest = rest[found.upperBound...]
        }
        #expect(self.text(session, "shutdown.log").contains("stopped: clean"))
        try await withholding.stop()
      }
    }

    @Test(
      "where no thread can be made, lines are written all the same",
      .needs(.root, "a limit of processes for a control group"))
    func noThread() async throws {
      try await withSession { session in
        try #require(mkdir(session.path("logs"), 0o755) == 0)
        let limit = try ProcessLimit(session, 100)
        let group = try #require(limit.path)
        let master = try await self.master(
          session, [TestWorker("alpha", ["hold"])], prelude: limit.actions)
        func refusals() -> String? { ProcTable.text("\(group)/pids.events") }
        func ignored() -> Int { self.text(session, "debug.log").components(of: "ignored SIGWINCH") }
        // Control: with room for a thread there is one.
        master.process.send(SIGWINCH)
        try await session.until("the line is there") { ignored() == 1 }
        try await session.until("the thread is over") { ProcTable.process(master.pid)?.threads == 1 }
        let before = try #require(refusals())
        try limit.set("1")
        master.process.send(SIGWINCH)
        try await session.until("the line is there") { ignored() == 2 }
        #expect(ProcTable.process(master.pid)?.threads == 1)
        #expect(refusals() != before, "a thread was refused")
        try limit.set("max")
        #expect(try await master.stop().result.ending == .exited(0))
        #expect(self.text(session, "debug.log").contains("stopped: clean"))
        try await limit.remove(session)
      }
    }
  }
}
