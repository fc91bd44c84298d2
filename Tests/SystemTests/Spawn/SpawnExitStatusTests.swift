import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn`: the exit status.
  @Suite struct SpawnExitStatus {
    @Test("every exit status passes through")
    func everyStatus() async throws {
      try await withSession { session in
        for status in 0...255 {
          let result = try await session.procctl("spawn", "--", Bytes(Programs.workload), "exit", "\(status)")
            .end()
          #expect(result.ending == .exited(Int32(status)))
        }
      }
    }

    /// CHLD, CONT, URG and WINCH do nothing by default, the four that stop do not end.
    private static let harmless: Set<Int32> = [
      SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU,
    ]

    @Test("death by signal N is 128+N")
    func everySignal() async throws {
      let realTime: [Int32] = [34, 35, 50, 63, 64]
      try await withSession { session in
        for signal in Array(1...31) + realTime where !Self.harmless.contains(signal) {
          let result = try await session.procctl(
            "spawn", "--", Bytes(Programs.workload), "raise", "\(signal)"
          ).end()
          #expect(result.ending == .exited(128 + signal), "signal \(signal)")
        }
      }
    }

    @Test(
      "a signal that is ignored by default ends nothing", arguments: [SIGCHLD, SIGCONT, SIGURG, SIGWINCH])
    func harmlessSignal(_ signal: Int32) async throws {
      try await withSession { session in
        let result = try await session.procctl(
          "spawn", "--", Bytes(Programs.workload), "raise", "\(signal)", "exit", "7"
        ).end()
        #expect(result.ending == .exited(7))
      }
    }

    @Test("a time limit is 124")
    func timeLimit() async throws {
      try await withSession { session in
        let result = try await session.procctl(
          "spawn", "--timeout", "200ms", "--", Bytes(Programs.workload), "hold"
        ).end()
        #expect(result.ending == .exited(124))
        #expect(result.duration >= .milliseconds(200))
        #expect(result.duration < .seconds(5))
      }
    }

    @Test(
      "a time limit is 124 also for a command that exits 0 on the signal, and for one that must be killed")
    func timeLimitWithStatus() async throws {
      try await withSession { session in
        let obedient = try await session.procctl(
          "spawn", "--timeout", "100ms", "--", Bytes(Programs.workload), "exit-on", "TERM", "0"
        ).end()
        #expect(obedient.ending == .exited(124))
        let deaf = try await session.procctl(
          "spawn", "--timeout", "100ms", "--grace", "100ms", "--", Bytes(Programs.workload), "ignore", "TERM"
        ).end()
        #expect(deaf.ending == .exited(124))
      }
    }

    @Test("a command in time is not touched by its limit, and 0 is none")
    func inTime() async throws {
      try await withSession { session in
        for limit: Bytes in ["30s", "0"] {
          let result = try await session.procctl("spawn", "--timeout", limit, "--", "/bin/sh", "-c", "exit 3")
            .end()
          #expect(result.ending == .exited(3))
        }
      }
    }

    @Test("a command that cannot be executed is 126, with the reason")
    func notExecutable() async throws {
      try await withSession { session in
        let plain = try session.write("no program\n", to: "plain")
        for path in [plain, session.directory] {
          let result = try await session.procctl("spawn", "--", Bytes(path)).end()
          #expect(result.ending == .exited(126), "\(path)")
          #expect(result.errors.contains(path))
        }
      }
    }

    @Test("a command that does not exist is 127, with its name")
    func notFound() async throws {
      try await withSession { session in
        for name in ["no-such-command-here", "/nowhere/at/all"] {
          let result = try await session.procctl("spawn", "--", Bytes(name)).end()
          #expect(result.ending == .exited(127))
          #expect(result.errors.contains(name))
        }
      }
    }

    @Test(
      "a script whose interpreter is missing is 127, with the interpreter's name, and not the script's alone")
    func noInterpreter() async throws {
      try await withSession { session in
        let script = try session.write("#! /nowhere/at/all -x\n", to: "script")
        try #require(chmod(script, 0o755) == 0)
        let result = try await session.procctl("spawn", "--", Bytes(script)).end()
        #expect(result.ending == .exited(127))
        #expect(
          result.errors
            == "procctl: spawn: execute \(script), whose interpreter /nowhere/at/all is not there: "
            + "No such file or directory\n")
      }
    }

    @Test(
      "a program that only another user may execute is named as it was found, with who may not",
      .needs(.root, "another user"))
    func notForThatUser() async throws {
      try await withSession { session in
        let closed = session.path("closed")
        try #require(mkdir(closed, 0o700) == 0)
        let script = try session.write("#!/bin/sh\n", to: "closed/procctl-test-program")
        try #require(chmod(script, 0o755) == 0)
        let result = try await session.procctl(
          "spawn", "--user", "65534", "--env", "PATH=\(closed)", "--", "procctl-test-program"
        ).end()
        #expect(result.ending == .exited(126))
        #expect(result.errors == "procctl: spawn: execute \(script) as user 65534: Permission denied\n")
        // What comes after it in PATH is for everybody (execvp(3)).
        let open = session.path("open")
        try #require(mkdir(open, 0o755) == 0)
        let other = try session.write("#!/bin/sh\nexit 7\n", to: "open/procctl-test-program")
        try #require(chmod(other, 0o755) == 0)
        let found = try await session.procctl(
          "spawn", "--user", "65534", "--env", "PATH=\(closed):\(open)", "--", "procctl-test-program"
        ).end()
        #expect(found.ending == .exited(7), "\(found.errors)")
      }
    }

    @Test(
      "a bad command line is 64 and says what is wrong",
      arguments: [
        (["spawn"], "--"), (["spawn", "--"], "--"),
        (["spawn", "--timeout", "soon", "--", "true"], "timeout"),
        (["spawn", "--no-such-option", "--", "true"], "no-such-option"),
        (["spawn", "--signal", "NONE", "--", "true"], "signal"),
        (["spawn", "--group", "0", "--", "true"], "--user"),
        (["spawn", "--limit", "nofile", "--", "true"], "limit"),
        (["spawn", "--status-fd", "-4", "--", "true"], "status-fd"),
        (["spawn", "--name", "17", "--", "true"], "name"),
        (["spawn", "--map-signal", "USR1", "--", "true"], "map-signal"),
        (["nonsense"], "nonsense"), (["kill-group", "--", "-5"], "refused"),
        (["kill-group", "1"], "refused"),
        (["run", "--", "true", "false"], "false"),
      ] as [([String], String)])
    func usage(_ arguments: [String], _ mentioned: String) async throws {
      try await withSession { session in
        let result = try await session.procctl(arguments.map { Bytes($0) }).end()
        #expect(result.ending == .exited(64))
        #expect(result.errors.contains(mentioned))
        #expect(result.output.isEmpty)
      }
    }

    @Test("what procctl itself cannot do is 125 and names the stage")
    func ownFailure() async throws {
      try await withSession { session in
        let result = try await session.procctl("spawn", "--chdir", "/nowhere/at/all", "--", "true").end()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("/nowhere/at/all"))
      }
    }
  }
}
