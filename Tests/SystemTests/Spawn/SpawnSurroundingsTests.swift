import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn` in surroundings that would make it believe too much.
  @Suite struct SpawnSurroundings {
    private func sh(_ session: TestSession, _ script: String) throws -> TestProcess {
      let bash = try #require(Programs.find("bash"))
      return try session.start(Launch(bash, ["-c", Bytes(script)]))
    }

    @Test("without descriptors to read /proc with, it refuses instead of calling the set empty")
    func fewDescriptors() async throws {
      try await withSession { session in
        let result = try await self.sh(
          session, "ulimit -n 7; exec \(Programs.procctl) spawn -- \(Programs.workload) exit 3"
        ).end()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("Too many open files"))
        // Control: with a few more it works.
        let enough = try await self.sh(
          session, "ulimit -n 16; exec \(Programs.procctl) spawn -- \(Programs.workload) exit 3"
        ).end()
        #expect(enough.ending == .exited(3))
      }
    }

    @Test(
      "without /proc it sees its arguments and says what is missing",
      .needs(.root, "to unmount /proc in a namespace"))
    func noProc() async throws {
      try await withSession { session in
        let marker = session.path("ran")
        let result = try await self.sh(
          session,
          "exec unshare --mount --propagation private bash -c 'umount -l /proc; "
            + "exec \(Programs.procctl) spawn -- touch \(marker)'"
        ).end()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("/proc"))
        #expect(access(marker, F_OK) != 0, "the command was not started")
      }
    }

    @Test("a report that nobody reads does not reach the command as SIGPIPE")
    func unreadReport() async throws {
      try await withSession { session in
        let result = try await self.sh(
          session,
          "exec 5> >(exec true); wait $!; exec \(Programs.procctl) spawn --status-fd 5 -- bash -c 'echo done'"
        ).end()
        #expect(result.ending == .exited(0))
        #expect(result.outputText == "done\n")
      }
    }

    @Test("started with SIGCHLD ignored, a detached command that does not exist is 127")
    func ignoredChildSignal() async throws {
      try await withSession { session in
        var launch = Launch(Programs.procctl, ["spawn", "--detach", "--", "/nonexistent"])
        launch.prelude = ["ignore", "17"]
        let result = try await session.start(launch).end()
        #expect(result.ending == .exited(127))
      }
    }

    @Test("what the caller had started before is not the command's")
    func inherited() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try self.sh(
          session,
          // The caller's child has a child of its own, which is orphaned while the command runs.
          "\(Programs.workload) child tell \(fifo.path) grandchild hold end tell \(fifo.path) child exit-on USR1 0 & "
            + "exec \(Programs.procctl) spawn --json -- \(Programs.workload) tell \(fifo.path) command exit-on TERM 0"
        )
        let said = try await fifo.expect("grandchild", "child", "command")
        kill(try #require(said["child"]), SIGUSR1)
        kill(try #require(said["command"]), SIGTERM)
        let result = try await process.end()
        #expect(try json(result.errors)["leftovers"] as? Int == 0)
        let grandchild = try #require(said["grandchild"])
        #expect(session.members().contains { $0.pid == grandchild }, "it lives on")
        kill(grandchild, SIGKILL)
        try await session.until("it is gone") { !session.members().contains { $0.pid == grandchild } }
      }
    }
  }
}
