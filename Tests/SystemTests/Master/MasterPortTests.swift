import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: who has a worker's port after its end, or before its start.
  @Suite struct MasterPort {
    private static let short = "[shutdown]\nports = \"300ms\""
    private static let stop = "stop = [ { signal = \"TERM\", wait = \"5s\" } ]"

    /// Hands its listening socket to a process of nobody's, which then has the port for itself.
    private func lender(_ session: TestSession, _ port: UInt16, _ lines: String...) -> TestWorker {
      var worker = TestWorker("alpha", ["lend-listener", "{port}", Bytes(session.path("lend"))], port: port)
      worker.lines = lines + ["contain = \"session\""]
      return worker
    }

    /// A process outside of the master that takes over the socket the worker lends.
    private func foreigner(_ session: TestSession, _ fifo: Announcements, user: Int? = nil) throws
      -> TestProcess
    {
      let user: [Bytes] = user.map { ["user", "\($0)"] } ?? []
      return try session.workload(
        [
          "borrow", Bytes(session.path("lend")), Bytes(fifo.path), "borrowing", "tell", Bytes(fifo.path),
          "has",
        ]
          + user + ["tell", Bytes(fifo.path), "foreigner"])
    }

    /// A process outside of the master that listens on a worker's port.
    private func stranger(_ session: TestSession, on port: UInt16) async throws -> TestProcess {
      let fifo = try session.announcements("stranger")
      let stranger = try session.workload(
        ["listen", Bytes("\(port)"), "tell", Bytes(fifo.path), "stranger", "hold"])
      _ = try await fifo.expect("stranger")
      return stranger
    }

    @Test(
      "a daemon of ours that nobody could tell apart is ended for its port before the next start",
      arguments: [false, true])
    func stray(isV6: Bool) async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let listen: Bytes = isV6 ? "listen6" : "listen"
        let worker = TestWorker(
          "alpha",
          [
            "daemonize", "exec", "/usr/bin/env", "-i", Bytes(Programs.workload), listen, "{port}", "tell",
            Bytes(fifo.path), "daemon", "hold", "end", "await", Bytes(session.path("go")), "exit", "1",
          ], port: port, "contain = \"session\"", Self.stop)
        let go = try session.announcements("go")
        let master = try MasterRun(session, preamble: Self.short, [worker])
        let daemon = try #require(try await fifo.expect("daemon")["daemon"])
        try go.open()
        try await master.expect("ending who has port \(port): pid \(daemon)")
        try await master.expect("ours")
        let next = try #require(try await fifo.expect("daemon")["daemon"])
        #expect(next != daemon && ProcTable.process(daemon)?.isZombie ?? true)
        #expect(!master.said.contains("blocked"))
        let result = try await master.stop().result
        #expect(result.ending == .exited(2) || result.ending == .exited(0), "\(result.errors)")
      }
    }

    @Test("a foreigner is named with user and socket and left alone", .needs(.root, "another user"))
    func foreign() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let other = try self.foreigner(session, fifo, user: 65534)
        _ = try await fifo.expect("borrowing")
        let master = try MasterRun(session, preamble: Self.short, [self.lender(session, port, Self.stop)])
        _ = try await fifo.expect("has", "foreigner")
        try await master.allReady()
        let result = try await master.stop().result
        #expect(result.ending == .exited(4))
        #expect(
          result.errors.contains("held by pid \(other.pid) (") && result.errors.contains("user nobody")
            && result.errors.contains("LISTEN on 127.0.0.1:\(port), not ours"), "\(result.errors)")
        #expect(ProcTable.process(other.pid)?.isZombie == false)
        other.send(SIGKILL)
        try await other.end()
        // The next start, once it is gone.
        let next = try MasterRun(
          session, [TestWorker("alpha", ["listen", "{port}"], port: port, ready: "tcp")])
        try await next.allReady()
        #expect(try await next.stop().result.ending == .exited(0))
      }
    }

    @Test("force-foreign ends it, by TERM first")
    func forced() async throws {
      try await concurrently([false, true]) { try await self.forced(isDeaf: $0) }
    }

    private func forced(isDeaf: Bool) async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let other = try session.workload(
          (isDeaf ? ["ignore", "TERM"] : ["exit-on", "TERM", "7"])
            + [
              "borrow", Bytes(session.path("lend")), Bytes(fifo.path), "borrowing", "tell", Bytes(fifo.path),
              "has",
            ])
        _ = try await fifo.expect("borrowing")
        let master = try MasterRun(
          session, preamble: "[shutdown]\nforce-foreign = true", [self.lender(session, port, Self.stop)])
        _ = try await fifo.expect("has")
        try await master.allReady()
        let result = try await master.stop().result
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(result.errors.contains("as force-foreign says: pid \(other.pid) ("))
        #expect(try await other.end().ending == (isDeaf ? .signaled(SIGKILL) : .exited(7)))
      }
    }

    @Test("force-foreign ends nobody before a start: the worker is blocked, and starts when the port is free")
    func forcedBeforeStart() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let stranger = try await self.stranger(session, on: port)
        let master = try MasterRun(
          session, preamble: "[shutdown]\nforce-foreign = true", [self.lender(session, port, Self.stop)])
        try await master.expect("alpha blocked: port \(port) is held by pid \(stranger.pid) (")
        let log = master.said
        #expect(!log.contains("as force-foreign says"), "\(log)")
        #expect(ProcTable.process(stranger.pid)?.isZombie == false)
        stranger.send(SIGKILL)
        try await stranger.end()
        // The control: at the stop its like is ended.
        let other = try session.workload(
          [
            "exit-on", "TERM", "7", "borrow", Bytes(session.path("lend")), Bytes(fifo.path), "borrowing",
            "tell", Bytes(fifo.path), "has",
          ])
        _ = try await fifo.expect("borrowing", "has")
        try await master.allReady()
        let result = try await master.stop().result
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(result.errors.contains("as force-foreign says: pid \(other.pid) ("))
        #expect(try await other.end().ending == .exited(7))
      }
    }

    @Test("a master told to stop while a stranger keeps its worker from starting leaves the stranger alone")
    func forcedWhileBlocked() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let stranger = try await self.stranger(session, on: port)
        let master = try MasterRun(
          session, preamble: "[shutdown]\nforce-foreign = true",
          [TestWorker("alpha", ["listen", "{port}"], port: port)])
        try await master.expect("alpha blocked: port \(port) is held by pid \(stranger.pid) (")
        let result = try await master.stop().result
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(ProcTable.process(stranger.pid)?.isZombie == false)
        stranger.send(SIGKILL)
        try await stranger.end()
      }
    }

    @Test("force-foreign spares who has started the master")
    func forcedAncestor() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let borrower = try SocketBorrower(path: session.path("lend"))
        let master = try MasterRun(
          session, preamble: "[shutdown]\nforce-foreign = true\nports = \"300ms\"",
          [self.lender(session, port, Self.stop)])
        // We are its parent.
        let socket = try await borrower.borrowed()
        try await master.allReady()
        let result = try await master.stop().result
        close(socket)
        #expect(result.ending == .exited(4))
        #expect(result.errors.contains("not ours to end"))
      }
    }

    @Test("one whom the master may not look into is a holder all the same", .needs(.root, "another user"))
    func unknown() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let procctl = try session.publicCopy(of: Programs.procctl)
        let program = try session.publicWorkload()
        let other = try self.foreigner(session, fifo)
        _ = try await fifo.expect("borrowing")
        try #require(chmod(session.path("lend"), 0o666) == 0)
        let runtime = session.path("theirs")
        try #require(mkdir(runtime, 0o700) == 0 && chown(runtime, 65534, 65534) == 0)
        var worker = self.lender(session, port, Self.stop)
        worker.command[0] = program
        let master = try MasterRun(
          session, preamble: "[shutdown]\nforce-foreign = true\nports = \"300ms\"", [worker],
          prelude: ["user", "65534"], program: procctl)
        _ = try await fifo.expect("has")
        try await master.allReady()
        let result = try await master.stop().result
        #expect(result.ending == .exited(4))
        #expect(result.errors.contains("an unknown process"), "\(result.errors)")
        #expect(ProcTable.process(other.pid)?.isZombie == false)
        other.send(SIGKILL)
        try await other.end()
      }
    }
  }
}
