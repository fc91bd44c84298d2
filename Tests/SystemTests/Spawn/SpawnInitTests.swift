import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn` as process 1 of a pid namespace, as in a container.
  @Suite(.needs(.root, "a pid namespace"), .needs(.program("unshare"), "to make the namespace"))
  struct SpawnInit {
    /// Runs `procctl spawn` as process 1. unshare itself stays outside; it does not forward signals.
    private func start(_ session: TestSession, _ arguments: [Bytes]) throws -> TestProcess {
      let unshare = try #require(Programs.find("unshare"))
      return try session.start(
        Launch(
          unshare,
          ["--pid", "--fork", "--mount-proc", "--kill-child", Bytes(Programs.procctl), "spawn"] + arguments))
    }

    /// Process 1 as it is known outside.
    private func one(of unshare: TestProcess) async throws -> pid_t {
      try #require(ProcTable.children(of: unshare.pid).first).pid
    }

    @Test("it is process 1, and exit statuses pass")
    func status() async throws {
      try await withSession { session in
        let process = try self.start(session, ["--", "/bin/sh", "-c", "echo $PPID; exit 6"])
        let result = try await process.end()
        #expect(result.ending == .exited(6))
        #expect(result.outputText == "1\n")
      }
    }

    @Test("it reaps the namespace's orphans")
    func orphans() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        let daemons = (0..<20).flatMap { _ in ["daemonize", "exit", "0", "end"] as [Bytes] }
        let process = try self.start(
          session,
          ["--", Bytes(Programs.workload)] + daemons
            + ["tell", Bytes(fifo.path), "made", "await", Bytes(gate.path), "exit", "0"])
        try await fifo.expect("made")
        let one = try await self.one(of: process)
        try await session.until("only the command is left below process 1") {
          ProcTable.children(of: one).count == 1
        }
        try gate.open()
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("control: a process 1 that does not reap keeps them all")
    func controlOrphans() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let daemons = (0..<20).flatMap { _ in ["daemonize", "exit", "0", "end"] as [Bytes] }
        let unshare = try #require(Programs.find("unshare"))
        let process = try session.start(
          Launch(
            unshare,
            ["--pid", "--fork", "--mount-proc", "--kill-child", Bytes(Programs.workload)] + daemons
              + ["tell", Bytes(fifo.path), "made"]))
        try await fifo.expect("made")
        let one = try await self.one(of: process)
        try await session.until("all are zombies") { ProcTable.children(of: one).count { $0.isZombie } == 20 }
        try await session.sweep()
      }
    }

    @Test("TERM is forwarded, and the whole namespace ends in order within the grace")
    func terminate() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements(), leader: ["exit-on", "TERM", "9"])
        let process = try self.start(
          session, ["--grace", "1s", "--", Bytes(Programs.workload)] + workload.actions)
        _ = try await workload.start()
        let one = try #require(ProcTable.process(try await self.one(of: process)))
        let stopwatch = Stopwatch()
        #expect(session.members().contains(one))
        kill(one.pid, SIGTERM)
        #expect(try await process.end().ending == .exited(9))
        #expect(stopwatch.elapsed >= .seconds(1) && stopwatch.elapsed < .seconds(4))
      }
    }
  }
}
