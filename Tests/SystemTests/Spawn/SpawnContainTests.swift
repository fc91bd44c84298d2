import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn`: the lifeline, and pid namespaces.
  @Suite struct SpawnContain {
    private let inNamespace: [Bytes] = ["spawn", "--contain", "pid-namespace"]

    // MARK: Lifeline

    /// A spawn with a lifeline, of which the test holds the other end.
    private func tied(
      _ session: TestSession, _ options: Bytes..., to actions: [Bytes]
    ) throws -> (process: TestProcess, own: Int32) {
      var ends: [Int32] = [-1, -1]
      try #require(pipe2(&ends, O_CLOEXEC) == 0)
      defer { close(ends[0]) }
      var launch = Launch(
        Programs.procctl,
        ["spawn", "--lifeline", "5"] + options + ["--", Bytes(Programs.workload)] + actions)
      launch.passed = [(ends[0], 5)]
      return (try session.start(launch), ends[1])
    }

    @Test("when the other end of the lifeline is closed, everything is ended at once")
    func lifelineBreaks() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements(), leader: ["ignore", "TERM"])
        let (process, own) = try self.tied(session, "--grace", "60s", to: workload.actions)
        _ = try await workload.start()
        let stopwatch = Stopwatch()
        close(own)
        #expect(try await process.end().ending == .exited(128 + SIGKILL))
        #expect(stopwatch.elapsed < .seconds(15))
        #expect(session.members().isEmpty)
      }
    }

    @Test("control: while it is held, nobody is ended")
    func lifelineHolds() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let (process, own) = try self.tied(session, to: ["tell", Bytes(fifo.path), "up"])
        let pid = try #require(try await fifo.expect("up")["up"])
        // What is written into it is of no interest.
        #expect(write(own, "still here", 10) == 10)
        let pidfd = cprocctl_pidfd_open(pid, 0)
        #expect(try await !readable([pidfd], by: Deadline(in: .seconds(1))))
        close(pidfd)
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(128 + SIGTERM))
        close(own)
      }
    }

    @Test("a lifeline that breaks during the grace cuts it short")
    func lifelineBreaksLater() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let (process, own) = try self.tied(session, "--grace", "60s", to: workload.actions)
        let leader = try #require(try await workload.start()["leader"])
        process.send(SIGTERM)
        try await session.untilState(of: leader, is: "Z")
        let stopwatch = Stopwatch()
        close(own)
        #expect(try await process.end().ending == .exited(0), "the leader's own status")
        #expect(stopwatch.elapsed < .seconds(15))
      }
    }

    @Test("a lifeline that is no open descriptor is a usage error")
    func noLifeline() async throws {
      try await withSession { session in
        let result = try await session.procctl("spawn", "--lifeline", "77", "--", "true").end()
        #expect(result.ending == .exited(64))
        #expect(result.errors.contains("--lifeline 77"))
      }
    }

    // MARK: Pid namespaces

    @Test("in a pid namespace: the command's own status, however it ended")
    func status() async throws {
      try await withSession { session in
        for (actions, status): ([Bytes], Int32) in [
          (["exit", "0"], 0), (["exit", "42"], 42), (["raise", "QUIT"], 131), (["raise", "KILL"], 137),
        ] {
          let result = try await session.procctl(
            self.inNamespace + ["--json", "--", Bytes(Programs.workload)] + actions
          ).end()
          #expect(result.ending == .exited(status))
          #expect(
            try json(result.errors)["signal"] as? String == (status > 128 ? Signals.name(status - 128) : nil))
        }
        let missing = try await session.procctl(self.inNamespace + ["--", "no-such-program-here"]).end()
        #expect(missing.ending == .exited(127))
        #expect(missing.errors.contains("no-such-program-here"))
        let text = try session.write("no program", to: "text")
        try #require(chmod(text, 0o755) == 0)
        #expect(
          try await session.procctl(self.inNamespace + ["--", Bytes(text)]).end().ending == .exited(126))
      }
    }

    @Test("in a pid namespace: signals are mapped as without one")
    func mapped() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl(
          self.inNamespace + [
            "--map-signal", "TERM:USR1", "--grace", "20s", "--", Bytes(Programs.workload), "ignore", "TERM",
            "exit-on", "USR1", "5", "tell", Bytes(fifo.path), "up",
          ])
        try await fifo.expect("up")
        process.send(SIGTERM)
        #expect(try await process.end(within: .seconds(15)).ending == .exited(5))
      }
    }

    @Test("in a pid namespace: what cannot be started is told as such, and never as ended")
    func failedEvent() async throws {
      try await withSession { session in
        var ends: [Int32] = [-1, -1]
        try #require(pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0)
        let events = Capture(ends[0])
        var launch = Launch(
          Programs.procctl, self.inNamespace + ["--status-fd", "3", "--", "no-such-program-here"])
        launch.passed = [(ends[1], 3)]
        let process = try session.start(launch)
        close(ends[1])
        #expect(try await process.end().ending == .exited(127))
        #expect(try await events.expectEnd(within: .seconds(5)))
        let failed = try json(try #require(events.lines.first))
        #expect(failed["event"] as? String == "failed" && failed["exit_status"] as? Int == 127)
        #expect(!events.text.contains("command-ended"))
      }
    }

    @Test("the command is not process 1 there, sees nobody of ours, and cannot harm its guard")
    func view() async throws {
      try await withSession { session in
        let result = try await session.procctl(
          self.inNamespace + [
            "--", "/bin/sh", "-c", "kill -KILL 1; echo $$; cd /proc; echo [0-9]*; readlink /proc/self",
          ]
        ).end()
        #expect(result.ending == .exited(0))
        let lines = result.outputText.split(separator: "\n")
        #expect(lines.first == "2")
        #expect(lines.dropFirst().first?.hasPrefix("1 2") == true && lines.count == 3)
        #expect(lines.dropFirst().first?.split(separator: " ").count ?? 99 <= 3)
      }
    }

    @Test("nobody is left when it ends, nor when it is shot", arguments: [SIGTERM, SIGKILL])
    func nobodyLeft(_ signal: Int32) async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let process = try session.procctl(
          self.inNamespace + ["--grace", "1s", "--", Bytes(Programs.workload)] + workload.actions)
        _ = try await workload.start()
        #expect(session.members().count == 6, "the one outside, the first inside, and four")
        process.send(signal)
        let ending = try await process.end().ending
        #expect(ending == (signal == SIGKILL ? .signaled(SIGKILL) : .exited(0)))
        try await session.until("nobody is left") { session.members().isEmpty }
      }
    }

    @Test(
      "a plain user can have one, and cannot be another user in it", .needs(.root, "to become a plain user"))
    func plainUser() async throws {
      try await withSession { session in
        var launch = Launch(
          try session.publicCopy(of: Programs.procctl),
          self.inNamespace + ["--", "/bin/sh", "-c", "echo $$; id -u; sleep 1000 & exit 7"])
        launch.prelude = ["user", "65534"]
        let result = try await session.start(launch).end()
        #expect(result.ending == .exited(7))
        #expect(result.outputText == "2\n65534\n")
        launch.arguments = self.inNamespace + ["--user", "daemon", "--", "true"]
        let refused = try await session.start(launch).end()
        #expect(refused.ending == .exited(125))
        #expect(refused.errors.contains("made without rights"))
      }
    }
  }
}

private enum Signals {
  static func name(_ number: Int32) -> String? { [SIGQUIT: "SIGQUIT", SIGKILL: "SIGKILL"][number] }
}
