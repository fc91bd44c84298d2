import Glibc
import Testing

extension SystemTests {
  /// `procctl kill-group`: whom it does not end, and says so.
  @Suite struct KillGroupRefusal {
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
        let tree = try await KillGroupTree(session)
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
        #expect(session.living.count == 3)

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
        #expect(session.living.count == 3)
        try await session.sweep()
      }
    }
  }
}
