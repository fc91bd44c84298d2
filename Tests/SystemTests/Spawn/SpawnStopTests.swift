import Glibc
import Testing

/// The worker that leaves survivors behind under the tools people use: its
/// leader goes on TERM, and of its children one ignores TERM, one does so in a
/// session of its own, and one as a daemon, a double fork away.
struct Misbehaving {
  var fifo: Announcements
  /// What the leader does on TERM, and then.
  var leader: [Bytes] = ["exit-on", "TERM", "0"]

  var actions: [Bytes] {
    let path = Bytes(self.fifo.path)
    return [
      "child", "ignore", "TERM", "tell", path, "deaf", "end",
      "child", "session", "ignore", "TERM", "tell", path, "session", "end",
      "daemonize", "ignore", "TERM", "tell", path, "daemon", "end",
    ] + self.leader + ["tell", path, "leader"]
  }

  /// Waits until all four are there.
  func start() async throws -> [String: pid_t] {
    try await self.fifo.expect("deaf", "session", "daemon", "leader")
  }
}

extension SystemTests {
  /// `procctl spawn`: stopped means nothing is left.
  @Suite struct SpawnStop {
    private static let grace = Duration.seconds(1)
    /// From TERM to the end: the grace, and three seconds for everything else. By itself the grace is 5 s.
    private static let bound = Duration.seconds(4)

    @Test("TERM, grace, KILL: of deaf, escaped and daemonised children nobody is left")
    func misbehaving() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let process = try session.procctl(
          ["spawn", "--json", "--grace", "1s", "--", Bytes(Programs.workload)] + workload.actions)
        let pids = try await workload.start()
        #expect(session.members().count == 5)
        let stopwatch = Stopwatch()
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(stopwatch.elapsed >= Self.grace && stopwatch.elapsed < Self.bound)
        #expect(result.ending == .exited(0), "the leader's own status")
        #expect(session.members().isEmpty, "at the moment it returns")
        let report = try json(result.errors)
        #expect(report["leftovers"] as? Int == 3)
        #expect(report["last_signal"] as? String == "SIGKILL")
        #expect(pids.count == 4)
      }
    }

    @Test("control: the same under timeout -k leaves survivors")
    func controlTimeout() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let timeout = try #require(Programs.find("timeout"))
        let process = try session.start(
          Launch(timeout, ["-k", "1", "30", Bytes(Programs.workload)] + workload.actions))
        let pids = try await workload.start()
        process.send(SIGTERM)
        _ = try await process.end()
        let survivors = Set(session.members().map(\.pid))
        #expect(survivors.isSuperset(of: ["session", "daemon"].compactMap { pids[$0] }))
        try await session.sweep()
      }
    }

    @Test("control: a guard that is shot before it can act leaves them all")
    func controlNoGuard() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let process = try session.procctl(["spawn", "--", Bytes(Programs.workload)] + workload.actions)
        _ = try await workload.start()
        process.send(SIGKILL)
        #expect(try await process.end().ending == .signaled(SIGKILL))
        #expect(session.members().count == 4)
        try await session.sweep()
      }
    }

    @Test("a deaf leader is killed after the grace, with its children")
    func deafLeader() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements(), leader: ["ignore", "TERM"])
        let process = try session.procctl(
          ["spawn", "--grace", "1s", "--", Bytes(Programs.workload)] + workload.actions)
        _ = try await workload.start()
        let stopwatch = Stopwatch()
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(stopwatch.elapsed >= Self.grace && stopwatch.elapsed < Self.bound)
        #expect(result.ending == .exited(128 + SIGKILL))
        #expect(session.members().isEmpty)
      }
    }

    @Test("obedient processes do not wait for the grace to pass")
    func obedient() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let process = try session.procctl(
          "spawn", "--grace", "20s", "--", Bytes(Programs.workload), "child", "session", "tell", path, "here",
          "end",
          "daemonize", "tell", path, "here", "end", "exit-on", "TERM", "0", "tell", path, "here")
        _ = try await fifo.expect(3, of: "here")
        let stopwatch = Stopwatch()
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(0))
        #expect(stopwatch.elapsed < .seconds(10))
      }
    }

    @Test("what a command leaves behind when it ends by itself is ended, and its status stays")
    func leftovers() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        var workload = Misbehaving(fifo: fifo)
        let gate = try session.announcements("gate")
        workload.leader = ["tell", Bytes(fifo.path), "leader", "await", Bytes(gate.path), "exit", "5"]
        let process = try session.procctl(
          ["spawn", "--grace", "500ms", "--json", "--", Bytes(Programs.workload)] + workload.actions)
        _ = try await workload.start()
        let stopwatch = Stopwatch()
        try gate.open()
        let result = try await process.end()
        #expect(result.ending == .exited(5))
        #expect(stopwatch.elapsed >= .milliseconds(500) && stopwatch.elapsed < Self.bound)
        #expect(try json(result.errors)["leftovers"] as? Int == 3)
      }
    }

    @Test("--timeout ends the escaped ones too")
    func timeLimit() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let process = try session.procctl(
          ["spawn", "--timeout", "2s", "--grace", "500ms", "--", Bytes(Programs.workload)] + workload.actions)
        _ = try await workload.start()
        let result = try await process.end()
        #expect(result.ending == .exited(124))
        #expect(result.duration < .seconds(6), "its own grace would be 5 s more")
      }
    }

    @Test(
      "an INT while leftovers are ended hurries, a QUIT kills, also if it is read before the command's end",
      arguments: [SIGINT, SIGQUIT], [false, true])
    func impatience(_ signal: Int32, readsBoth: Bool) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        let process = try session.procctl(
          "spawn", "--grace", "60s", "--", Bytes(Programs.workload), "daemonize", "ignore", "TERM", "ignore",
          "INT",
          "ignore", "QUIT", "tell", Bytes(fifo.path), "daemon", "end", "tell", Bytes(fifo.path), "leader",
          "await",
          Bytes(gate.path), "exit", "0")
        let leader = try #require(try await fifo.expect("daemon", "leader")["leader"])
        if readsBoth {
          // Then SIGCHLD and the signal are pending together, of which the lower number is read first.
          process.send(SIGSTOP)
          try await session.untilState(of: process.pid, is: "T")
        }
        try gate.open()
        try await session.untilState(of: leader, is: "Z")
        let stopwatch = Stopwatch()
        process.send(signal)
        if readsBoth { process.send(SIGCONT) }
        #expect(try await process.end().ending == .exited(0))
        #expect(stopwatch.elapsed < .seconds(15))
      }
    }

    @Test("a process that forks on and on, never the same one for long, is caught")
    func hopping() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl(
          "spawn", "--grace", "1s", "--", Bytes(Programs.workload), "ignore", "TERM", "daemonize", "tell",
          Bytes(fifo.path), "daemon", "hop", "2", "end", "exit-on", "TERM", "0", "tell", Bytes(fifo.path),
          "leader")
        try await fifo.expect("daemon", "leader")
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(session.members().isEmpty)
      }
    }

    @Test(
      "whom it may not signal survives: that is 125, and says who",
      .needs(.root, "a process the guard may not signal"))
    func survivor() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        // With set-user-ID it becomes root for good below a guard that is nobody.
        let program = try session.publicWorkload()
        try #require(chmod(program, 0o4755) == 0)
        var launch = Launch(
          try session.publicCopy(of: Programs.procctl),
          [
            "spawn", "--json", "--grace", "200ms", "--", Bytes(program), "child", "user", "0", "ignore",
            "TERM", "tell",
            Bytes(fifo.path), "below", "end", "tell", Bytes(fifo.path), "leader",
          ])
        launch.prelude = ["user", "65534"]
        let process = try session.start(launch)
        let pid = try #require(try await fifo.expect("below", "leader")["below"])
        let stopwatch = Stopwatch()
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(result.ending == .exited(125))
        #expect(stopwatch.elapsed < .seconds(8))
        #expect(result.errors.contains("survived: ") && result.errors.contains("\(pid)"), "\(result.errors)")
        #expect(session.members().map(\.pid) == [pid])
        try await session.sweep()
      }
    }

    @Test("a hundred zombies and orphans of a living command are reaped")
    func reaping() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        let daemons = (0..<100).flatMap { _ in ["daemonize", "exit", "0", "end"] as [Bytes] }
        let process = try session.procctl(
          ["spawn", "--", Bytes(Programs.workload)] + daemons
            + ["tell", Bytes(fifo.path), "made", "await", Bytes(gate.path), "exit", "0"])
        let leader = try #require(try await fifo.expect("made")["made"])
        try await session.until("no zombie is left below procctl") {
          ProcTable.children(of: process.pid).map(\.pid) == [leader]
        }
        try gate.open()
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("the caller's pipe is closed with the command's end, not with that of what it left")
    func pipe() async throws {
      try await withSession { session in
        let pids = session.path("pid")
        let process = try session.procctl(
          "spawn", "--grace", "500ms", "--", "/bin/sh", "-c", "sleep 60 & echo $! > \"$1\"", "sh", Bytes(pids)
        )
        let output = try #require(process.output)
        #expect(try await output.expectEnd(within: .seconds(10)), "what it left would have it for a minute")
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("control: under plain sh the pipe stays open as long as what was left runs")
    func controlPipe() async throws {
      try await withSession { session in
        let process = try session.start(Launch("/bin/sh", ["-c", "sleep 60 &"]))
        #expect(try await process.end().ending == .exited(0))
        #expect(try await process.output?.expectEnd(within: .seconds(1)) == false)
        #expect(session.members().map(\.name) == ["sleep"])
        try await session.sweep()
      }
    }
  }
}
