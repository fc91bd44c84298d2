import Glibc
import Testing

extension SystemTests {
  /// `procctl kill-group`: processes that are the test's children, not procctl's.
  @Suite struct KillGroup {
    @Test("a PID: with all below it, escaped sessions too")
    func byPID() async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session)
        let innocent = try await KillGroupTree(session, "other")
        let result = try await session.procctl("kill-group", tree.target).end()
        #expect(result.ending == .exited(0))
        #expect(result.output.isEmpty && result.errors.isEmpty)
        #expect(session.living == [innocent.leader, innocent.member, innocent.escaped])
        #expect(try await tree.process.end().ending == .signaled(SIGTERM))
        try await session.sweep()
      }
    }

    @Test("several targets at once")
    func several() async throws {
      try await withSession { session in
        let first = try await KillGroupTree(session, "first")
        let second = try await KillGroupTree(session, "second")
        #expect(
          try await session.procctl("kill-group", first.target, second.target).end().ending == .exited(0))
        #expect(session.living.isEmpty)
      }
    }

    @Test("PID@STARTTIME ends that process, and never one that has its number now")
    func startTime() async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session)
        let start = try #require(ProcTable.process(tree.leader)).startTime
        for wrong in [start - 1, start + 1, 0] {
          let refused = try await session.procctl("kill-group", "\(tree.leader)@\(wrong)").end()
          #expect(refused.ending == .exited(1))
          #expect(refused.errors.contains("\(tree.leader)"))
        }
        #expect(session.living == [tree.leader, tree.member, tree.escaped])
        #expect(try await session.procctl("kill-group", "\(tree.leader)@\(start)").end().ending == .exited(0))
        #expect(session.living.isEmpty)
      }
    }

    @Test("--scope group and session stay within these", arguments: ["group", "session"])
    func scopes(_ scope: String) async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session)
        #expect(
          try await session.procctl("kill-group", "--scope", Bytes(scope), tree.target).end().ending
            == .exited(0))
        #expect(session.living == [tree.escaped])
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
        #expect(session.living == [job])
        #expect(
          try await session.procctl("kill-group", "--scope", "session", "\(job)").end().ending == .exited(0))
        #expect(session.living.isEmpty)
      }
    }

    @Test(
      "without /proc it says that it is blind, not that nobody is there",
      .needs(.root, "to hide /proc from it"), .needs(.program("unshare"), "mounts of its own"))
    func blind() async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session)
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
          #expect(session.living.count == (hide == "true" ? 0 : 3))
        }
        #expect(try await tree.process.end().ending == .signaled(SIGTERM))
      }
    }

    @Test("control: kill -- -PGID leaves the escaped one")
    func control() async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session)
        kill(-tree.leader, SIGTERM)
        #expect(try await tree.process.end().ending == .signaled(SIGTERM))
        try await session.untilEnd(of: tree.member)
        #expect(session.living == [tree.escaped])
        try await session.sweep()
      }
    }

    @Test("the deaf are killed after the grace")
    func deaf() async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session, deaf: true)
        let stopwatch = Stopwatch()
        #expect(
          try await session.procctl("kill-group", "--grace", "500ms", tree.target).end().ending == .exited(0))
        #expect(stopwatch.elapsed >= .milliseconds(500) && stopwatch.elapsed < .seconds(4))
        #expect(session.living.isEmpty)
        #expect(try await tree.process.end().ending == .signaled(SIGKILL))
      }
    }

    @Test("the obedient do not wait for the grace, and --signal is what they get")
    func obedient() async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session)
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
        #expect(session.living.isEmpty)
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("--dry-run shows the tree and ends nobody")
    func dryRun() async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session)
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
        #expect(session.living.count == 3)
        try await session.sweep()
      }
    }

    @Test("--json says who was ended and what it took")
    func report() async throws {
      try await withSession { session in
        let tree = try await KillGroupTree(session, deaf: true)
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
          #expect(session.living.isEmpty, "what it could end it has ended")
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
        #expect(session.living.isEmpty)
        #expect(ProcTable.listeners()[port] == nil)
        let again = try await session.procctl("kill-group", "--port", "\(port)").end()
        #expect(again.ending == .exited(1))
        #expect(again.errors.contains("\(port)"))
      }
    }
  }
}
