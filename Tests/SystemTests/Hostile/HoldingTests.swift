import Glibc
import Testing

extension SystemTests {
  /// What processes hold is free once procctl has returned: pipes, locks, sockets.
  @Suite struct HostileHolding {
    /// Deaf holders of everything, in sessions and as daemons, in a crowd that shares it.
    private static func actions(_ fifo: Announcements, port: UInt16, lock: String) -> [Bytes] {
      let path = Bytes(fifo.path)
      return [
        "ignore", "TERM", "listen", "\(port)", "lock", Bytes(lock),
        "many", "5", "session", "tell", path, "holder", "end",
        "daemonize", "child", "in-thread", "tell", path, "holder", "end", "tell", path, "holder", "end",
        "exit-on", "TERM", "0", "tell", path, "leader",
      ]
    }

    private static let holders = 7

    private func isFree(lock path: String) throws -> Bool {
      let descriptor = open(path, O_RDWR | O_CLOEXEC)
      guard descriptor >= 0 else { throw WaitError("open \(path): \(errno)") }
      defer { close(descriptor) }
      return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    private func isFree(port: UInt16) -> Bool { (try? LoopbackSocket(port: port, listens: true)) != nil }

    @Test("the caller's pipe ends, and lock and port are free", arguments: Keeper.possible)
    func released(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let lock = session.path("lock")
        let process = try keeper.start(session, Self.actions(fifo, port: port, lock: lock))
        try await fifo.expect("leader")
        _ = try await fifo.expect(Self.holders, of: "holder")
        #expect(!self.isFree(port: port))
        #expect(try !self.isFree(lock: lock))
        process.send(SIGTERM)
        let result = try await process.end()
        // At once, without waiting for anything.
        #expect(self.isFree(port: port))
        #expect(try self.isFree(lock: lock))
        process.output?.take()
        process.errors?.take()
        #expect(process.output?.isAtEnd == true && process.errors?.isAtEnd == true)
        #expect(session.members().isEmpty)
        #expect(result.ending == keeper.ending(afterKilling: 0), "\(result.errors)")
      }
    }

    @Test("control: after timeout -k they are held")
    func control() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let lock = session.path("lock")
        let timeout = try #require(Programs.find("timeout"))
        let process = try session.start(
          Launch(
            timeout,
            ["-k", "0.2", "30", Bytes(Programs.workload)] + Self.actions(fifo, port: port, lock: lock)))
        try await fifo.expect("leader")
        _ = try await fifo.expect(Self.holders, of: "holder")
        process.send(SIGTERM)
        try await process.end()
        #expect(!self.isFree(port: port))
        #expect(try !self.isFree(lock: lock))
        #expect(try await process.output?.expectEnd(within: .milliseconds(200)) == false)
        try await session.sweep()
      }
    }

    @Test(
      "a command that fills a pipe nobody reads holds nobody up, a report least of all",
      arguments: Keeper.verbs)
    func unreadPipe(_ keeper: Keeper) async throws {
      try await withSession { session in
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        var launch = try keeper.launch(
          session,
          ["ignore", "TERM", "exec", "/bin/sh", "-c", "trap '' TERM; while :; do echo full >&2; done"])
        if case .spawn = keeper { launch.arguments.insert("--json", at: 1) }
        launch.errors = .descriptor(ends[1])
        let process = try session.start(launch)
        // The control: it is full, and nobody could write now.
        try await session.until("the pipe is full") {
          var watch = pollfd(fd: ends[1], events: Int16(POLLOUT), revents: 0)
          return poll(&watch, 1, 0) == 0
        }
        process.send(SIGTERM)
        let result = try await process.end(within: .seconds(20))
        #expect(session.members().isEmpty)
        #expect(result.ending == keeper.ending(afterKilling: 128 + SIGKILL))
      }
    }

    @Test(
      "a worker that crashes comes back to a free port, though its daemon wiped its environment",
      arguments: Containment.possible.filter { [.session, .cgroup].contains($0) })
    func daemonOfACrashed(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let master = try Self.master(session, fifo, port: port, containment: containment)
        let said = try await fifo.expect("daemon", "leader")
        kill(try #require(said["leader"]), SIGKILL)
        // The next one has the port: its listener would fail otherwise.
        let again = try await fifo.expect("daemon", "leader")
        #expect(again["leader"] != said["leader"])
        let first = try #require(said["daemon"])
        #expect(!session.members().contains { $0.pid == first }, "the first daemon is gone")
        let (result, _) = try await master.stop()
        #expect(result.ending == .exited(3), "the second one was deaf as well: \(result.errors)")
      }
    }

    @Test(
      "control: without a cgroup such a daemon is nobody's, and without a port it ends only with the master")
    func daemonOfNobody() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", unmarkedDaemon(fifo) + ["tell", Bytes(fifo.path), "leader"], Containment.session.line)
          ])
        let said = try await fifo.expect("daemon", "leader")
        kill(try #require(said["leader"]), SIGKILL)
        try await fifo.expect("daemon", "leader")
        let daemon = try #require(said["daemon"])
        #expect(session.members().contains { $0.pid == daemon })
        #expect(try await master.stop().result.ending == .exited(3))
        #expect(session.members().isEmpty)
      }
    }

    /// A worker whose deaf daemon, without arguments, environment or a session anyone has seen, has its port.
    private static func master(
      _ session: TestSession, _ fifo: Announcements, port: UInt16, containment: Containment
    ) throws -> MasterRun {
      try MasterRun(
        session, preamble: "[shutdown]\nports = \"300ms\"",
        [
          TestWorker(
            "alpha",
            [
              "listen", "{port}", "daemonize", "ignore", "TERM", "wipe", "tell", Bytes(fifo.path), "daemon",
              "end", "tell", Bytes(fifo.path), "leader",
            ], port: port, containment.line, "backoff = { first = \"50ms\", max = \"200ms\" }",
            "stop = [ { signal = \"TERM\", wait = \"200ms\" }, { signal = \"KILL\" } ]")
        ])
    }
  }
}
