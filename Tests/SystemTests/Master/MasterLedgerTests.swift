import Glibc
import ProcCtl
import Supervision
import SystemPackage
import Testing

extension SystemTests {
  /// What a ledger says and is not so, and where there can be none.
  @Suite struct MasterLedger {
    /// A ledger of `procctl.toml` in the session's directory, as one that is gone would have left it.
    private func write(
      _ session: TestSession, _ entries: [Ledger.Entry],
      boot: String = (try? RecordedProcess.currentBoot()) ?? "",
      master: pid_t = 4_000_000, cgroup: FilePath? = nil, change: (inout String) -> Void = { _ in }
    ) throws -> String {
      for directory in ["procctl", "procctl/masters"] { mkdir(session.path(directory), 0o700) }
      let file = try session.write("", to: "procctl.toml")
      let name = LedgerName(of: LedgerName.canonical(FilePath(file)))
      let ledger = Ledger(
        header: Ledger.Header(
          master: RecordedProcess(
            identity: ProcessIdentity(processIdentifier: ProcessIdentifier(master), startTime: 1), boot: boot),
          namespace: try PidNamespace.own(), cgroup: cgroup, configuration: name.configuration),
        entries: entries)
      var text = LedgerText.whole(ledger)
      change(&text)
      return try session.write(text, to: "procctl/masters/\(name.file(number: 1))")
    }

    private func entry(_ process: ObservedProcess, startTime: UInt64? = nil, cookie: ByteString = "x:1")
      -> Ledger.Entry
    {
      Ledger.Entry(
        worker: "alpha", cookie: cookie,
        leader: ProcessIdentity(
          processIdentifier: ProcessIdentifier(process.pid), startTime: startTime ?? process.startTime))
    }

    private func startAndStop(_ session: TestSession) async throws -> String {
      let master = try MasterRun(session, [TestWorker("alpha", ["hold"], "contain = \"session\"")])
      try await master.allReady()
      let (result, _) = try await master.stop()
      #expect(result.ending == .exited(0))
      return result.errors
    }

    @Test("an innocent with the number of a worker's process lives; control: with its start time it does not")
    func reusedNumber() async throws {
      try await withSession { session in
        let innocent = try session.workload(["child", "hold", "end", "hold"])
        try await session.until("there are two") { session.members().count == 2 }
        let process = try #require(ProcTable.process(innocent.pid))
        let path = try self.write(session, [self.entry(process, startTime: process.startTime - 1)])
        #expect(try await !self.startAndStop(session).contains("the last run"))
        #expect(session.members().count == 2)
        #expect(access(path, F_OK) != 0)

        _ = try self.write(session, [self.entry(process)])
        let said = try await self.startAndStop(session)
        #expect(said.contains("the last run (pid 4000000) left pid \(innocent.pid)"))
        #expect(session.members().isEmpty)
      }
    }

    @Test(
      "a master that gave up root believes numbers only with the worker's mark: its user can write its ledger",
      .needs(.root, "to give it up"))
    func ledgerOfAUser() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let program = try session.publicWorkload()
        let innocent = try session.workload(["hold"])
        let setpriv = try #require(Programs.find("setpriv"))
        var launch = Launch(
          setpriv, ["--reuid", "1", "--regid", "1", "--clear-groups", Bytes(program), "hold"])
        launch.environment = ["PROCCTL_COOKIE=x:2"]
        let marked = try session.start(launch)
        try await session.until("both are there") {
          session.members().map(\.name) == ["test-workload", "test-workload"]
        }
        var other = self.entry(try #require(ProcTable.process(marked.pid)), cookie: "x:2")
        other.worker = "beta"
        let path = try self.write(
          session, [self.entry(try #require(ProcTable.process(innocent.pid))), other])
        for place in [session.path("procctl"), session.path("procctl/masters"), path] {
          try #require(chown(place, 1, 1) == 0)
        }
        var worker = TestWorker("alpha", ["hold"], "contain = \"session\"")
        worker.command[0] = program
        let master = try MasterRun(session, preamble: "[master]\nuser = \"daemon\"", [worker])
        try await master.allReady()
        let (result, _) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(result.errors.contains("left pid \(marked.pid)"), "\(result.errors)")
        #expect(!result.errors.contains("left pid \(innocent.pid)"))
        #expect(session.members().map(\.pid) == [innocent.pid])
        innocent.send(SIGTERM)
        try await innocent.end()
      }
    }

    @Test("a ledger of before the boot is removed and means nobody")
    func otherBoot() async throws {
      try await withSession { session in
        let innocent = try session.workload(["hold"])
        let process = try #require(ProcTable.process(innocent.pid))
        let path = try self.write(session, [self.entry(process)], boot: "another")
        _ = try await self.startAndStop(session)
        #expect(session.members().map(\.pid) == [innocent.pid])
        #expect(access(path, F_OK) != 0)
        innocent.send(SIGTERM)
        try await innocent.end()
      }
    }

    @Test("a damaged ledger is reported, its damage not believed, and the start goes on")
    func damaged() async throws {
      try await withSession { session in
        let innocent = try session.workload(["hold"])
        let process = try #require(ProcTable.process(innocent.pid))
        let wrong = self.entry(process, startTime: process.startTime + 1)
        // The damage makes the line fit the innocent; its checksum does not.
        let damage = "time=\(process.startTime)"
        _ = try self.write(session, [wrong]) {
          $0 = $0.replacing("time=\(process.startTime + 1)", with: damage)
        }
        #expect(try await self.startAndStop(session).contains("line 2 is damaged"))
        _ = try self.write(session, [self.entry(process)]) { $0 = "rubbish\n" + $0 }
        #expect(try await self.startAndStop(session).contains("line 1 is damaged"))
        _ = try self.write(session, [self.entry(process)]) { $0 = "" }
        #expect(try await self.startAndStop(session).contains("has no header"))
        #expect(session.members().map(\.pid) == [innocent.pid])
        #expect(session.ledgers().isEmpty)
        innocent.send(SIGTERM)
        try await innocent.end()
      }
    }

    @Test(
      "cgroups that cannot have been the dead master's are left alone",
      .needs(.cgroup, "cgroups that a ledger names"))
    func foreignCgroup() async throws {
      try await withSession { session in
        let own = try #require(session.cgroup)
        let innocent = "\(own.path)/innocent"
        try #require(mkdir(innocent, 0o755) == 0)
        defer { rmdir(innocent) }
        let process = try session.workload(["join", Bytes(innocent), "hold"])
        try await session.until("it has joined") {
          ProcTable.text("\(innocent)/cgroup.procs")?.contains("\(process.pid)") == true
        }
        for parent in [own.path, innocent, "/", "\(own.path)/x/../procctl-4000000", "/tmp/procctl-4000000"] {
          let entry = Ledger.Entry(worker: "alpha", cookie: "x:1", cgroup: FilePath(innocent))
          _ = try self.write(session, [entry], cgroup: FilePath(parent))
          let said = try await self.startAndStop(session)
          #expect(said.contains("cannot be a cgroup"), "\(parent)")
        }
        #expect(session.members().map(\.pid) == [process.pid])
        process.send(SIGTERM)
        try await process.end()
      }
    }

    @Test("without a runtime directory that can be used it says so and works")
    func noDirectory() async throws {
      try await withSession { session in
        // A file where the directory should be.
        _ = mkdir(session.path("procctl"), 0o700)
        _ = try session.write("", to: "procctl/masters")
        let said = try await self.startAndStop(session)
        #expect(said.contains("no ledger: ") && said.contains("the next start cannot find"))
        unlink(session.path("procctl/masters"))
        // One that others can write to is not believed.
        try #require(mkdir(session.path("procctl/masters"), 0o700) == 0)
        try #require(chmod(session.path("procctl/masters"), 0o777) == 0)
        #expect(try await self.startAndStop(session).contains("no ledger: "))
      }
    }

    @Test(
      "a process that got the number of a worker's leader lives",
      .needs(.root, "a pid namespace, in which numbers are dealt out again"))
    func numberDealtOutAgain() async throws {
      try await withSession { session in
        let unshare = try #require(Programs.find("unshare"))
        let fifo = try session.announcements()
        let configuration = try session.write(
          TestWorker("alpha", ["tell", Bytes(fifo.path), "up"], "contain = \"session\"").table,
          to: "procctl.toml")
        // The number after ns_last_pid is what the next process gets (proc(5)). Times of start are in
        // hundredths of a second, in which nobody gets all numbers dealt out: wait for another one.
        let script = """
          "$1" run "$3" 2>"$3.log" & master=$!
          read -r go
          worker=$(sed -n 's/.*alpha starting (pid \\([0-9]*\\)).*/\\1/p' "$3.log")
          start() { cut -d' ' -f22 /proc/$1/stat; }
          born=$(start $worker)
          kill -9 $master; wait $master; kill -9 $worker
          while kill -0 $worker 2>/dev/null; do /bin/true; done
          while [ "$(start self)" = "$born" ]; do :; done
          echo $((worker - 1)) >/proc/sys/kernel/ns_last_pid
          "$2" exit-on USR1 7 tell "$4" innocent & innocent=$!
          [ $innocent = $worker ] || { echo "got $innocent instead of $worker" >&2; exit 9; }
          read -r go
          "$1" run "$3" & second=$!
          read -r go
          kill -TERM $second; wait $second || exit 8
          kill -USR1 $innocent; wait $innocent
          """
        var launch = Launch(
          unshare,
          [
            "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", Bytes(script), "sh",
            Bytes(Programs.procctl), Bytes(Programs.workload), Bytes(configuration), Bytes(fifo.path),
          ])
        launch.input = .pipe
        let process = try session.start(launch)
        for word in ["up", "innocent", "up"] {
          try await fifo.expect(word)
          process.write("go\n")
        }
        let result = try await process.end()
        #expect(result.ending == .exited(7), "\(result.errors)")
        #expect(!result.errors.contains("the last run (pid"))
      }
    }

    @Test(
      "a ledger that cannot be written to is complained of once",
      .needs(.program("prlimit"), "a limit on files"))
    func cannotWrite() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let worker = TestWorker(
          "alpha", ["tell", Bytes(fifo.path), "up"], "contain = \"session\"",
          "backoff = { first = \"1ms\", max = \"1ms\" }")
        let master = try MasterRun(session, [worker])
        var pid = try #require(try await fifo.expect("up")["up"])
        let prlimit = try #require(Programs.find("prlimit"))
        let limited = try session.start(Launch(prlimit, ["--pid", "\(master.pid)", "--fsize=100"]))
        #expect(try await limited.end().ending == .exited(0))
        for _ in 0..<3 {
          Glibc.kill(pid, SIGKILL)
          pid = try #require(try await fifo.expect("up")["up"])
        }
        #expect(master.said.split(separator: "\n").count { $0.contains("no ledger: ") } == 1)
        #expect(try await master.stop().result.ending == .exited(0))
        #expect(session.ledgers().isEmpty)
      }
    }
  }
}
