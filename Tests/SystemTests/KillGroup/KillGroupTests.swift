import Glibc
import Testing

extension SystemTests {
  /// `procctl kill-group`: processes that are the test's children, not procctl's.
  @Suite struct KillGroup {
    /// The leader, a child in its group, and a child that went to a session of its own; all obedient.
    private struct Tree {
      var process: TestProcess
      var leader: pid_t
      var member: pid_t
      var escaped: pid_t

      var target: Bytes { "\(self.leader)" }
    }

    private func tree(_ session: TestSession, _ name: String = "tree", deaf: Bool = false) async throws
      -> Tree
    {
      let fifo = try session.announcements(name)
      let path = Bytes(fifo.path)
      let hearing: [Bytes] = deaf ? ["ignore", "TERM"] : []
      let process = try session.workload(
        hearing + [
          "child", "tell", path, "member", "end", "child", "session", "tell", path, "escaped", "end",
        ]
          + ["tell", path, "leader"])
      let said = try await fifo.expect("leader", "member", "escaped")
      return Tree(
        process: process, leader: try #require(said["leader"]), member: try #require(said["member"]),
        escaped: try #require(said["escaped"]))
    }

    private func living(_ session: TestSession) -> Set<pid_t> { Set(session.members().map(\.pid)) }

    @Test("a PID: with all below it, escaped sessions too")
    func byPID() async throws {
      try await withSession { session in
        let tree = try await self.tree(session)
        let innocent = try await self.tree(session, "other")
        let result = try await session.procctl("kill-group", tree.target).end()
        #expect(result.ending == .exited(0))
        #expect(result.output.isEmpty && result.errors.isEmpty)
        #expect(self.living(session) == [innocent.leader, innocent.member, innocent.escaped])
        #expect(try await tree.process.end().ending == .signaled(SIGTERM))
        try await session.sweep()
      }
    }

    @Test("several targets at once")
    func several() async throws {
      try await withSession { session in
        let first = try await self.tree(session, "first")
        let second = try await self.tree(session, "second")
        #expect(
          try await session.procctl("kill-group", first.target, second.target).end().ending == .exited(0))
        #expect(self.living(session).isEmpty)
      }
    }

    @Test("PID@STARTTIME ends that process, and never one that has its number now")
    func startTime() async throws {
      try await withSession { session in
        let tree = try await self.tree(session)
        let start = try #require(ProcTable.process(tree.leader)).startTime
        for wrong in [start - 1, start + 1, 0] {
          let refused = try await session.procctl("kill-group", "\(tree.leader)@\(wrong)").end()
          #expect(refused.ending == .exited(1))
          #expect(refused.errors.contains("\(tree.leader)"))
        }
        #expect(self.living(session) == [tree.leader, tree.member, tree.escaped])
        #expect(try await session.procctl("kill-group", "\(tree.leader)@\(start)").end().ending == .exited(0))
        #expect(self.living(session).isEmpty)
      }
    }

    @Test("--scope group and session stay within these", arguments: ["group", "session"])
    func scopes(_ scope: String) async throws {
      try await withSession { session in
        let tree = try await self.tree(session)
        #expect(
          try await session.procctl("kill-group", "--scope", Bytes(scope), tree.target).end().ending
            == .exited(0))
        #expect(self.living(session) == [tree.escaped])
        try await session.sweep()
      }
    }

    @Test("--scope group is less than session")
    func groupInSession() async throws {
      try await withSession { session in
        let bash = try #require(Programs.find("bash"))
        let fifo = try session.announcements()
        // With job control every job has its own group in the one session.
        let shell = try session.start(
          Launch(
            bash,
            [
              "-c", "set -m; \"$0\" tell \"$1\" job & exec \"$0\" tell \"$1\" shell",
              Bytes(Programs.workload), Bytes(fifo.path),
            ]))
        let said = try await fifo.expect("job", "shell")
        let job = try #require(said["job"])
        #expect(
          try await session.procctl("kill-group", "--scope", "group", "\(shell.pid)").end().ending
            == .exited(0))
        #expect(self.living(session) == [job])
        #expect(
          try await session.procctl("kill-group", "--scope", "session", "\(job)").end().ending == .exited(0))
        #expect(self.living(session).isEmpty)
      }
    }

    @Test(
      "without /proc it says that it is blind, not that nobody is there",
      .needs(.root, "to hide /proc from it"), .needs(.program("unshare"), "mounts of its own"))
    func blind() async throws {
      try await withSession { session in
        let tree = try await self.tree(session)
        for hide in ["mount -t tmpfs none /proc", "true"] {
          let result = try await session.start(
            Launch(
              try #require(Programs.find("unshare")),
              [
                "--mount", "--propagation", "private", "/bin/sh", "-ec", Bytes("\(hide); exec \"$0\" \"$@\""),
                Bytes(Programs.procctl), "kill-group", tree.target,
              ])
          ).end()
          #expect(result.ending == .exited(hide == "true" ? 0 : 125), "\(result.errors)")
          #expect(result.errors.contains("/proc") == (hide != "true"), "\(result.errors)")
          #expect(self.living(session).count == (hide == "true" ? 0 : 3))
        }
        #expect(try await tree.process.end().ending == .signaled(SIGTERM))
      }
    }

    @Test("control: kill -- -PGID leaves the escaped one")
    func control() async throws {
      try await withSession { session in
        let tree = try await self.tree(session)
        kill(-tree.leader, SIGTERM)
        #expect(try await tree.process.end().ending == .signaled(SIGTERM))
        try await session.untilEnd(of: tree.member)
        #expect(self.living(session) == [tree.escaped])
        try await session.sweep()
      }
    }

    @Test("the deaf are killed after the grace")
    func deaf() async throws {
      try await withSession { session in
        let tree = try await self.tree(session, deaf: true)
        let stopwatch = Stopwatch()
        #expect(
          try await session.procctl("kill-group", "--grace", "500ms", tree.target).end().ending == .exited(0))
        #expect(stopwatch.elapsed >= .milliseconds(500) && stopwatch.elapsed < .seconds(4))
        #expect(self.living(session).isEmpty)
        #expect(try await tree.process.end().ending == .signaled(SIGKILL))
      }
    }

    @Test("the obedient do not wait for the grace, and --signal is what they get")
    func obedient() async throws {
      try await withSession { session in
        let tree = try await self.tree(session)
        let stopwatch = Stopwatch()
        let result = try await session.procctl(
          "kill-group", "--grace", "60s", "--signal", "USR1", tree.target
        ).end()
        #expect(result.ending == .exited(0))
        #expect(stopwatch.elapsed < .seconds(15))
        #expect(try await tree.process.end().ending == .signaled(SIGUSR1))
      }
    }

    @Test("a child that the leader's end makes an orphan stays a target")
    func orphaned() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let process = try session.workload([
          "child", "session", "ignore", "TERM", "tell", path, "escaped", "end", "exit-on", "TERM", "0",
          "tell", path,
          "leader",
        ])
        try await fifo.expect("escaped", "leader")
        #expect(
          try await session.procctl("kill-group", "--grace", "1s", "\(process.pid)").end().ending
            == .exited(0))
        #expect(self.living(session).isEmpty)
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("--dry-run shows the tree and ends nobody")
    func dryRun() async throws {
      try await withSession { session in
        let tree = try await self.tree(session)
        let result = try await session.procctl("kill-group", "--dry-run", tree.target).end()
        #expect(result.ending == .exited(0))
        let lines = result.outputText.split(separator: "\n")
        try #require(lines.count == 3)
        #expect(lines[0].hasPrefix("\(tree.leader)"))
        let below = lines.dropFirst().map { $0.drop { $0 == " " } }
        #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("  ") })
        for pid in [tree.member, tree.escaped] { #expect(below.contains { $0.hasPrefix("\(pid)") }) }
        #expect(lines.allSatisfy { $0.contains("test-workload") })
        let listed = try await session.procctl("kill-group", "--dry-run", "--json", tree.target).end()
          .outputText
        for pid in [tree.leader, tree.member, tree.escaped] { #expect(listed.contains("\"pid\":\(pid)")) }
        let reasons = try jsonList(listed).map { ($0["pid"] as? Int ?? 0, $0["reason"] as? String ?? "") }
        #expect(
          Dictionary(reasons) { first, _ in first } == [
            Int(tree.leader): "target", Int(tree.member): "child of \(tree.leader)",
            Int(tree.escaped): "child of \(tree.leader)",
          ])
        #expect(self.living(session).count == 3)
        try await session.sweep()
      }
    }

    @Test("--json says who was ended and what it took")
    func report() async throws {
      try await withSession { session in
        let tree = try await self.tree(session, deaf: true)
        let result = try await session.procctl("kill-group", "--json", "--grace", "100ms", tree.target).end()
        let report = try json(result.outputText)
        #expect(report["ended"] as? Bool == true)
        #expect(report["last_signal"] as? String == "SIGKILL")
        let ended = (report["processes"] as? [[String: Any]] ?? []).compactMap { $0["pid"] as? Int }
        #expect(Set(ended) == Set([tree.leader, tree.member, tree.escaped].map { Int($0) }))
        #expect((report["survivors"] as? [Any])?.isEmpty == true)
      }
    }

    @Test(
      "--port is not done while the socket is somebody's who cannot be seen",
      .needs(.root, "a server of another user"), .needs(.program("setpriv"), "to be nobody"))
    func portSharedWithOthers() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let setpriv = try #require(Programs.find("setpriv"))
        let nobody: [Bytes] = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
        let workload = Bytes(try session.publicWorkload())
        let procctl = Bytes(try session.publicCopy(of: Programs.procctl))
        // This test has the socket, too, and is root's; and then it has not.
        for isShared in [true, false] {
          var socket: LoopbackSocket? = try LoopbackSocket(listens: true)
          let port = try #require(socket?.port)
          var launch = Launch(setpriv, nobody + [workload, "tell", Bytes(fifo.path), "server", "hold"])
          if let socket { launch.passed = [(own: socket.descriptor, as: 3)] }
          _ = try session.start(launch)
          try await fifo.expect("server")
          if !isShared { socket = nil }
          let result = try await session.start(
            Launch(setpriv, nobody + [procctl, "kill-group", "--json", "--port", "\(port)"])
          ).end()
          #expect(result.ending == .exited(isShared ? 125 : 0), "\(result.errors)")
          #expect(result.errors.contains("port \(port) held by ") == isShared, "\(result.errors)")
          #expect(self.living(session).isEmpty, "what it could end it has ended")
          let report = try json(result.outputText)
          #expect(report["ended"] as? Bool == !isShared)
          #expect((report["held_ports"] as? [String])?.count == (isShared ? 1 : 0))
          withExtendedLifetime(socket) {}
        }
      }
    }

    @Test("--port ends who listens there, with all that belongs to it")
    func port() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        _ = try session.workload([
          "listen", "\(port)", "child", "session", "ignore", "TERM", "tell", path, "below", "end", "tell",
          path, "leader",
        ])
        try await fifo.expect("below", "leader")
        #expect(ProcTable.listeners()[port] != nil)
        let result = try await session.procctl("kill-group", "--grace", "300ms", "--port", "\(port)").end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(self.living(session).isEmpty)
        #expect(ProcTable.listeners()[port] == nil)
        let again = try await session.procctl("kill-group", "--port", "\(port)").end()
        #expect(again.ending == .exited(1))
        #expect(again.errors.contains("\(port)"))
      }
    }

    @Test(
      "0, 1, negative numbers and nonsense are refused with 64",
      arguments: ["0", "1", "00", "nobody here", "5@soon", "@", "@/alpha", "@12/", "1@2@3", "-1"])
    func refused(_ target: String) async throws {
      try await withSession { session in
        let result = try await session.procctl("kill-group", Bytes(target)).end()
        #expect(result.ending == .exited(64), "\(result.errors)")
        #expect(!result.errors.isEmpty)
      }
    }

    @Test("no target is 64, a target that is not there 1")
    func absent() async throws {
      try await withSession { session in
        #expect(try await session.procctl("kill-group").end().ending == .exited(64))
        let gone = try session.workload(["exit", "0"])
        _ = try await gone.end()
        #expect(try await session.procctl("kill-group", "\(gone.pid)").end().ending == .exited(1))
        #expect(try await session.procctl("kill-group", "no-such-name").end().ending == .exited(1))
        #expect(try await session.procctl("kill-group", "@no-such-worker").end().ending == .exited(1))
      }
    }

    @Test("itself and whoever started it are refused, and live")
    func ancestors() async throws {
      try await withSession { session in
        for script in [
          "exec \"$0\" kill-group $$", "\"$0\" kill-group $$; exit $?",
          "sh -c '\"$0\" kill-group --scope session $PPID; exit $?' \"$0\"; exit $?",
        ] {
          let result = try await session.start(
            Launch("/bin/sh", ["-c", Bytes(script), Bytes(Programs.procctl)])
          ).end()
          #expect(result.ending == .exited(125), "\(script)")
          #expect(result.errors.contains("refused"), "\(result.errors)")
        }
      }
    }

    @Test("a target whose tree holds kill-group itself is refused before anybody is signalled")
    func insideTree() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let result = try await session.start(
          Launch(
            "/bin/sh",
            [
              "-c", "\"$1\" tell \"$2\" other & \"$0\" kill-group $$; s=$?; kill $!; wait $!; exit $s",
              Bytes(Programs.procctl), Bytes(Programs.workload), Bytes(fifo.path),
            ])
        ).end()
        #expect(result.ending == .exited(125))
      }
    }

    @Test("threads of the kernel are refused with 64")
    func kernelThread() async throws {
      // In a pid namespace of its own there are none to be seen.
      guard ProcTable.process(2)?.name == "kthreadd" else { return }
      try await withSession { session in
        let child = try #require(ProcTable.children(of: 2).first)
        for pid in [2, child.pid] {
          let result = try await session.procctl("kill-group", "\(pid)").end()
          #expect(result.ending == .exited(64))
          #expect(result.errors.contains("thread of the kernel"))
        }
      }
    }

    @Test("the id of a thread is not taken for a process")
    func threadIdentifier() async throws {
      try await withSession { session in
        let python = try #require(Programs.find("python3"))
        let script = """
          import threading, sys
          t = threading.Thread(target=threading.Event().wait, daemon=True); t.start()
          print(t.native_id, flush=True); sys.stdin.read()
          """
        var launch = Launch(python, ["-c", Bytes(script)])
        launch.input = .pipe
        let process = try session.start(launch)
        let output = try #require(process.output)
        try await output.expect("\n")
        let thread = output.lines[0]
        let result = try await session.procctl("kill-group", Bytes(thread)).end()
        #expect(result.ending == .exited(1), "\(result.errors)")
        #expect(ProcTable.process(process.pid)?.isZombie == false)
        process.closeInput()
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test(
      "whom we may not signal survives, is named, and makes it 125",
      .needs(.root, "a process of another user"))
    func notAllowed() async throws {
      try await withSession { session in
        let tree = try await self.tree(session)
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try session.publicCopy(of: Programs.procctl)
        let runtime = session.path("theirs")
        try #require(mkdir(runtime, 0o700) == 0 && chown(runtime, 65534, 65534) == 0)
        var launch = Launch(
          setpriv,
          [
            "--reuid=65534", "--regid=65534", "--clear-groups", Bytes(program), "kill-group", "--grace",
            "100ms", tree.target,
          ])
        launch.environment = ["XDG_RUNTIME_DIR=\(runtime)"]
        let result = try await session.start(launch).end()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("\(tree.leader)"), "\(result.errors)")
        #expect(self.living(session).count == 3)

        // By KILL it is over two seconds later, and the report has each with its state and the refusal.
        launch.arguments.replaceSubrange(
          4..., with: ["kill-group", "--signal", "KILL", "--json", tree.target])
        let stopwatch = Stopwatch()
        let killed = try await session.start(launch).end()
        #expect(stopwatch.elapsed >= .seconds(2) && stopwatch.elapsed < .seconds(5))
        #expect(killed.ending == .exited(125))
        let report = try json(killed.outputText)
        #expect(report["ended"] as? Bool == false)
        let survivors = report["survivors"] as? [[String: Any]] ?? []
        #expect(survivors.count == 3)
        for survivor in survivors {
          #expect(survivor["state"] as? String == "S")
          #expect((survivor["refusal"] as? String)?.contains("SIGKILL") == true)
        }
        #expect(self.living(session).count == 3)
        try await session.sweep()
      }
    }
  }
}
