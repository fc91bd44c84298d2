import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// `procctl run` when something in itself breaks during the stop: the workers are ended all the same.
  @Suite struct MasterInternalError {
    /// Obeys; beside it a deaf child in a session of its own.
    private func workers(_ session: TestSession, _ fifo: Announcements, _ containment: Containment) throws
      -> [TestWorker]
    {
      let port = try session.freePort()
      let path = Bytes(fifo.path)
      return [
        TestWorker(
          "obedient", ["exit-on", "TERM", "0", "tell", path, "up"], containment.line,
          "stop = [ { signal = \"TERM\", wait = \"2s\" }, { signal = \"KILL\", wait = \"500ms\" } ]"),
        TestWorker(
          "deaf", ["child", "ignore", "TERM", "tell", path, "deaf", "end", "listen", "{port}", "hold"],
          port: port, ready: "tcp", containment.line,
          "stop = [ { signal = \"TERM\", wait = \"300ms\" }, { signal = \"KILL\", wait = \"500ms\" } ]"),
      ]
    }

    /// Starts, waits until all are ready, lets the faults begin, and stops.
    private func stop(
      _ session: TestSession, _ containment: Containment, _ faults: [Fault], hangsAtExit: Bool = false
    ) async throws -> TestProcess.Result {
      let fifo = try session.announcements("fifo-\(UInt32.random(in: .min ... .max))")
      let gate = session.path("gate")
      unlink(gate)
      let master = try MasterRun(
        session, preamble: "[shutdown]\nports = \"500ms\"", try self.workers(session, fifo, containment),
        faults: FaultPlan(faults: faults, gate: gate, hangsAtExit: hangsAtExit))
      _ = try await fifo.expect("up", "deaf")
      try await master.allReady()
      _ = try session.write("", to: "gate")
      return try await master.stop().result
    }

    @Test("101: epoll fails, and the workers are asked and ended step by step")
    func eventLoop() async throws {
      try await concurrently(Containment.possible) { try await self.eventLoop($0) }
    }

    private func eventLoop(_ containment: Containment) async throws {
      try await withSession { session in
        let result = try await self.stop(session, containment, [Fault("epoll_wait", .from(1), "EINVAL")])
        #expect(session.members().isEmpty, "at the moment it returns")
        #expect(result.ending == .exited(101))
        #expect(result.errors.contains("obedient stopped") && result.errors.contains("deaf needed KILL"))
        #expect(result.errors.contains("internal error: epoll_wait"))
        // The next start on the same port works at once.
        #expect(try await self.stop(session, containment, []).ending == .exited(3))
      }
    }

    @Test("102: nothing is left to wait with, and the workers are killed")
    func abandoned() async throws {
      try await concurrently(Containment.possible) { try await self.abandoned($0) }
    }

    private func abandoned(_ containment: Containment) async throws {
      try await withSession { session in
        let result = try await self.stop(
          session, containment,
          [Fault("epoll_wait", .from(1), "EINVAL"), Fault("poll", .from(1), "ENOMEM")])
        #expect(session.members().isEmpty, "at the moment it returns")
        #expect(result.ending == .exited(102))
        #expect(result.errors.contains("killing the workers"))
        #expect(session.ledgers().isEmpty == false, "the next start looks")
        #expect(try await self.stop(session, containment, []).ending == .exited(3))
        #expect(session.ledgers().isEmpty)
      }
    }

    /// Each lasts to the end; none may make a clean stop of one that is not, or keep anybody alive.
    @Test(
      "what fails while it is verified fails nothing else; a crash in the stop; an exit that hangs")
    func faults() async throws {
      // They wait for most of their time, so side by side.
      async let verified: Void = self.verification()
      async let crashed: Void = self.crash()
      async let hung: Void = self.hangs()
      _ = try await (verified, crashed, hung)
    }

    private func verification() async throws {
      let cases: [(Fault, Int32)] = [
        (Fault("timerfd_settime", .from(1), "ENOMEM"), 3), (Fault("socket", .from(1), "EMFILE"), 4),
        (Fault("recvfrom", .from(1), "ENOMEM"), 3),
        (Fault("open", about: "/children", .from(1), "EMFILE"), 3),
        (Fault("pidfd_open", .from(1), "EMFILE"), 3),
      ]
      try await concurrently(cases) { try await self.verification(fault: $0, status: $1) }
    }

    private func verification(fault: Fault, status: Int32) async throws {
      try await withSession { session in
        let result = try await self.stop(session, .session, [fault])
        #expect(result.ending == .exited(status), "\(fault): \(result.errors)")
        #expect(session.members().isEmpty, "\(fault): \(result.errors)")
      }
    }

    // MARK: Faults of its own

    /// In the middle of the stop it takes the workers along and keeps its signal.
    private func crash() async throws {
      let faults = [("ILL", SIGILL), ("SEGV", SIGSEGV), ("ABRT", SIGABRT), ("ILL", SIGILL)]
      try await concurrently(Array(zip(Containment.possible, faults))) { containment, fault in
        try await self.crash(containment, name: fault.0, signal: fault.1)
      }
    }

    private func crash(_ containment: Containment, name: String, signal: Int32) async throws {
      try await withSession { session in
        // Some have their signal, and some do not.
        let result = try await self.stop(
          session, containment, [Fault("pidfd_send_signal", .nth(2), "crash:\(name)")])
        #expect(result.ending == .signaled(signal))
        try await session.until("nobody is left") { session.members().isEmpty }
        #expect(result.errors.contains("dying of a fault of its own"), "\(result.errors)")
        #expect(try await self.stop(session, containment, []).ending == .exited(3), "the next start")
      }
    }

    @Test("control: what SIGKILL ends cannot take along whom nobody guards")
    func shot() async throws {
      try await concurrently(Containment.outlivingMaster) { try await self.shot($0) }
    }

    private func shot(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(session, try self.workers(session, fifo, containment))
        let pids = try await fifo.expect("up", "deaf")
        try await master.allReady()
        master.process.send(SIGKILL)
        #expect(try await master.process.end().ending == .signaled(SIGKILL))
        for pid in pids.values { #expect(ProcTable.process(pid)?.isZombie == false) }
        try await session.sweep()
      }
    }

    // MARK: The exit itself

    /// It is ended with the status it was to have.
    private func hangs() async throws {
      try await concurrently([true, false]) { try await self.hangs(atExit: $0) }
    }

    private func hangs(atExit: Bool) async throws {
      try await withSession { session in
        let faults = atExit ? [] : [Fault("unlink", about: ".ledger", .from(1), "delay:60000")]
        let result = try await self.stop(session, .session, faults, hangsAtExit: atExit)
        #expect(result.ending == .exited(3))
        #expect(result.errors.contains("the exit hangs"))
        #expect(result.duration > .seconds(5) && result.duration < .seconds(15))
      }
    }

    @Test("a log that nobody reads does not keep it")
    func nobodyReads() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let file = try session.write(
          TestWorker("alpha", ["tell", Bytes(fifo.path), "up"], "contain = \"session\"").table, to: "p.toml")
        var ends: [Int32] = [-1, -1]
        try #require(pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0)
        defer { for end in ends { close(end) } }
        let filler = [UInt8](repeating: 0, count: 1 << 20)
        while write(ends[1], filler, filler.count) > 0 {}
        // The next one to write would wait.
        _ = cprocctl_fcntl(ends[1], F_SETFL, 0)
        var launch = Launch(Programs.procctl, ["run", Bytes(file)])
        launch.errors = .descriptor(ends[1])
        let master = try session.start(launch)
        _ = try await fifo.expect("up")
        master.send(SIGTERM)
        #expect(try await master.end().ending == .exited(0))
      }
    }
  }
}
