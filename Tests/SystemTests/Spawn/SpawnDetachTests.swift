import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn --detach` and its NAME.
  @Suite struct SpawnDetach {
    @Test("it prints NAME PID and returns, the caller's pipes close, and kill-group NAME ends it all")
    func lifecycle() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let starter = try session.procctl(
          ["spawn", "--detach", "--name", "web", "--grace", "500ms", "--", Bytes(Programs.workload)]
            + workload.actions)
        #expect(try await starter.output?.expectEnd(within: .seconds(5)) == true)
        #expect(try await starter.errors?.expectEnd(within: .seconds(5)) == true)
        let result = try await starter.end()
        #expect(result.ending == .exited(0))
        let words = result.outputText.split { $0 == " " || $0 == "\n" }
        try #require(words.count == 2)
        #expect(words[0] == "web")
        let supervisor = try #require(pid_t(words[1]))
        let pids = try await workload.start()
        #expect(ProcTable.process(try #require(pids["leader"]))?.parent == supervisor)
        #expect(ProcTable.process(supervisor)?.session == supervisor)

        let stop = try await session.procctl("kill-group", "web").end()
        #expect(stop.ending == .exited(0))
        #expect(session.members().isEmpty)
        #expect(ProcTable.bytes(session.path("procctl/spawn/web")) == nil, "its name is free")
        #expect(try await session.procctl("kill-group", "web").end().ending == .exited(1))
      }
    }

    @Test("kill-group NAME asks the supervisor, which asks the command, once")
    func askedOnce() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        let script = try session.write(
          """
          trap 'echo term $$ > \(fifo.path)' TERM
          echo up $$ > \(fifo.path)
          until read line < \(gate.path); do :; done
          exit 0
          """, to: "script")
        let bash = try #require(Programs.find("bash"))
        #expect(
          try await session.procctl(
            "spawn", "--detach", "--name", "polite", "--grace", "60s", "--", Bytes(bash), Bytes(script)
          ).end().ending == .exited(0))
        try await fifo.expect("up")
        let stop = try session.procctl("kill-group", "--grace", "60s", "polite")
        try await fifo.expect("term")
        try gate.open()
        #expect(try await stop.end().ending == .exited(0))
        #expect(fifo.rest().isEmpty, "no second TERM")
      }
    }

    @Test("two cannot have one name at a time; a name is made up for who gives none")
    func names() async throws {
      try await withSession { session in
        func start(_ options: Bytes...) async throws -> TestProcess.Result {
          try await session.procctl(
            ["spawn", "--detach"] + options + ["--", Bytes(Programs.workload), "hold"]
          ).end()
        }
        #expect(try await start("--name", "one").ending == .exited(0))
        let second = try await start("--name", "one")
        #expect(second.ending == .exited(125))
        #expect(second.errors.contains("one"))
        var names: Set<String> = ["one"]
        for _ in 0..<2 {
          let name = try await start().outputText.split(separator: " ").first.map(String.init)
          #expect(name?.hasPrefix("test-workload-") == true)
          #expect(names.insert(try #require(name)).inserted)
        }
        for name in names {
          #expect(try await session.procctl("kill-group", Bytes(name)).end().ending == .exited(0))
        }
      }
    }

    @Test("of several that want one name at the same moment, one gets it")
    func nameRace() async throws {
      try await withSession { session in
        let starters = try (0..<6).map { _ in
          try session.procctl("spawn", "--detach", "--name", "one", "--", Bytes(Programs.workload), "hold")
        }
        var endings: [Ending] = []
        for starter in starters { endings.append(try await starter.end().ending) }
        #expect(endings.count { $0 == .exited(0) } == 1)
        #expect(endings.count { $0 == .exited(125) } == 5)
        #expect(try await session.procctl("kill-group", "one").end().ending == .exited(0))
      }
    }

    @Test("the name of a supervisor that was shot is stale: kill-group says so, and it can be used again")
    func staleName() async throws {
      try await withSession { session in
        let first = try await session.procctl(
          "spawn", "--detach", "--name", "one", "--", Bytes(Programs.workload), "hold"
        ).end()
        let supervisor = try #require(pid_t(first.outputText.split { $0 == " " || $0 == "\n" }[1]))
        let observed = try #require(ProcTable.process(supervisor))
        #expect(session.members().contains(observed))
        kill(supervisor, SIGKILL)
        try await session.untilEnd(of: supervisor)
        #expect(ProcTable.bytes(session.path("procctl/spawn/one")) != nil, "the file is still there")
        #expect(try await session.procctl("kill-group", "one").end().ending == .exited(1))
        let again = try await session.procctl(
          "spawn", "--detach", "--name", "one", "--", Bytes(Programs.workload), "hold"
        ).end()
        #expect(again.ending == .exited(0))
        #expect(try await session.procctl("kill-group", "one").end().ending == .exited(0))
        // What the shot one guarded is nobody's now.
        #expect(session.members().count == 1)
        try await session.sweep()
      }
    }

    @Test(
      "a name file that says nonsense, or names somebody else, is not in the way",
      arguments: ["", "x y z\n", "1 1 1\n"])
    func nonsense(_ content: String) async throws {
      try await withSession { session in
        try #require(
          mkdir(session.path("procctl"), 0o700) == 0 && mkdir(session.path("procctl/spawn"), 0o700) == 0)
        _ = try session.write(content, to: "procctl/spawn/one")
        #expect(try await session.procctl("kill-group", "one").end().ending == .exited(1))
        let start = try await session.procctl(
          "spawn", "--detach", "--name", "one", "--", Bytes(Programs.workload), "hold"
        ).end()
        #expect(start.ending == .exited(0))
        #expect(try await session.procctl("kill-group", "one").end().ending == .exited(0))
      }
    }

    @Test("what cannot be started is reported by the caller, with its status")
    func failures() async throws {
      try await withSession { session in
        let missing = try await session.procctl("spawn", "--detach", "--", "/nowhere/at/all").end()
        #expect(missing.ending == .exited(127))
        #expect(missing.errors.contains("/nowhere/at/all"))
        #expect(missing.output.isEmpty)
        let directory = try await session.procctl("spawn", "--detach", "--", Bytes(session.directory)).end()
        #expect(directory.ending == .exited(126))
      }
    }

    @Test("options and arguments reach the detached command, in their bytes")
    func forwarding() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let foreign = Bytes([0xFF, 0x41])
        let file = session.path("out")
        let start = try await session.procctl([
          "spawn", "--detach", "--env", "GIVEN=yes", "--name=one", "--chdir", Bytes(session.directory), "--",
          "/bin/sh",
          "-c", "printf %s \"$1$GIVEN\" > out; pwd >> out; exec \(Programs.workload) tell \"$2\" done hold",
          "sh", foreign,
          Bytes(fifo.path),
        ]).end()
        #expect(start.ending == .exited(0))
        try await fifo.expect("done")
        #expect(ProcTable.bytes(file) == foreign.bytes + Array("yes\(session.directory)\n".utf8))
        #expect(try await session.procctl("kill-group", "one").end().ending == .exited(0))
      }
    }

    @Test("a detached command that ends by itself takes its supervisor and its name with it")
    func ends() async throws {
      try await withSession { session in
        let gate = try session.announcements("gate")
        let start = try await session.procctl(
          "spawn", "--detach", "--name", "one", "--", Bytes(Programs.workload), "await", Bytes(gate.path),
          "exit", "3"
        ).end()
        let supervisor = try #require(pid_t(start.outputText.split { $0 == " " || $0 == "\n" }[1]))
        try gate.open()
        try await session.untilEnd(of: supervisor)
        #expect(ProcTable.bytes(session.path("procctl/spawn/one")) == nil)
      }
    }
  }
}
