import Glibc
import ProcCtl
import Supervision
import SystemPackage
import Testing

extension SystemTests {
  /// `kill -9` of a master, and the next start.
  @Suite struct MasterDeath {
    private let stop = "stop = [ { signal = \"TERM\", wait = \"500ms\" }, { signal = \"KILL\" } ]"

    /// A worker with a deaf child, one in a session of its own, and a daemon that holds the port.
    private func misbehaving(_ fifo: Announcements, port: UInt16?, _ containment: Containment) -> TestWorker {
      let path = Bytes(fifo.path)
      let listen: [Bytes] = port == nil ? [] : ["listen", "{port}"]
      return TestWorker(
        "alpha",
        ["exit-on", "TERM", "0", "child", "ignore", "TERM", "tell", path, "deaf", "end"]
          + ["child", "session", "tell", path, "escaped", "end"]
          + ["daemonize"] + listen + ["ignore", "TERM", "tell", path, "daemon", "end"]
          + ["tell", path, "leader"], port: port, ready: "none", containment.line, self.stop)
    }

    private let everybody = ["deaf", "escaped", "daemon", "leader"]

    private func expectAll(_ fifo: Announcements) async throws -> [String: pid_t] {
      try await fifo.expect("deaf", "escaped", "daemon", "leader")
    }

    /// Ends the master as nothing can be prepared for.
    private func kill(_ master: MasterRun) async throws {
      master.process.send(SIGKILL)
      #expect(try await master.process.end().ending == .signaled(SIGKILL))
    }

    private func ledgers(_ session: TestSession) -> [String] {
      ProcTable.names(session.path("procctl/masters")).filter { $0.hasSuffix(".ledger") }
    }

    private func cgroups(_ session: TestSession) -> [String] {
      session.cgroup.map { ProcTable.names($0.path).filter { $0.hasPrefix("procctl-") } } ?? []
    }

    @Test(
      "the next start ends what the last one left, gets the port, and leaves nothing",
      arguments: Containment.possible)
    func nextStart(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let worker = self.misbehaving(fifo, port: port, containment)
        let first = try MasterRun(session, [worker])
        try await first.allReady()
        let left = try await self.expectAll(fifo)
        try await self.kill(first)
        // Control: nobody else ends them.
        for word in self.everybody {
          let pid = try #require(left[word])
          #expect(ProcTable.process(pid)?.isZombie == false, "\(word)")
        }
        #expect(ProcTable.listeners()[port] != nil)
        #expect(self.ledgers(session).count == 1)
        #expect(self.cgroups(session).count == (containment == .cgroup ? 1 : 0))

        let second = try MasterRun(session, [worker])
        try await second.allReady()
        let own = try await self.expectAll(fifo)
        for pid in left.values { #expect(ProcTable.process(pid)?.isZombie ?? true) }
        let said = second.said
        #expect(said.contains("alpha: the last run (pid \(first.pid)) left"))
        for word in self.everybody { #expect(said.contains("pid \(left[word] ?? 0) (test-workload)")) }
        #expect(said.contains("ended by SIGKILL"))
        #expect(!said.contains("blocked"), "the port is looked at only afterwards")
        #expect(Set(session.members().map(\.pid)) == Set(own.values).union([second.pid]))
        #expect(self.ledgers(session).count == 1, "its own")

        #expect(try await second.stop().result.ending == .exited(3))
        #expect(self.ledgers(session).isEmpty)
        #expect(self.cgroups(session).isEmpty)
      }
    }

    @Test("control: without the ledger they stay, and hold the port", arguments: Containment.possible)
    func withoutLedger(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let worker = self.misbehaving(fifo, port: port, containment)
        let first = try MasterRun(session, [worker])
        try await first.allReady()
        _ = try await self.expectAll(fifo)
        try await self.kill(first)
        let ledger = try #require(self.ledgers(session).first)
        unlink(session.path("procctl/masters/\(ledger)"))
        let second = try MasterRun(session, [worker])
        try await second.expect("alpha blocked")
        #expect(session.members().count == 5)
        #expect(try await second.stop().result.ending == .exited(0))
        try await session.sweep()
      }
    }

    @Test("the obedient get a signal and no KILL, and a worker that is no longer configured goes too")
    func obedient() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let first = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["exit-on", "INT", "0", "ignore", "TERM", "tell", path, "alpha"],
              "contain = \"session\"", "stop = [ { signal = \"INT\", wait = \"5s\" } ]"),
            TestWorker("gone", ["tell", path, "gone"], "contain = \"session\""),
          ])
        try await first.allReady()
        _ = try await fifo.expect("alpha", "gone")
        try await self.kill(first)
        let second = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", path, "alpha"], "contain = \"session\"",
              "stop = [ { signal = \"INT\", wait = \"5s\" } ]")
          ])
        try await second.allReady()
        _ = try await fifo.expect("alpha")
        let lines = second.said.split(separator: "\n").filter { $0.contains("the last run") }
        #expect(
          lines.contains { $0.contains("alpha: the last run") && $0.contains("ended by SIGINT") }, "\(lines)")
        #expect(
          lines.contains { $0.contains("gone: the last run") && $0.contains("ended by SIGTERM") }, "\(lines)")
        #expect(session.members().count == 2)
        #expect(try await second.stop().result.ending == .exited(0))
      }
    }

    @Test("what restarted workers left is found by their latest start, and a clean end leaves no ledger")
    func restarted() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let worker = TestWorker("alpha", ["tell", Bytes(fifo.path), "up"], "contain = \"session\"")
        let first = try MasterRun(session, [worker])
        for _ in 0..<2 {
          let pid = try #require(try await fifo.expect("up")["up"])
          Glibc.kill(pid, SIGKILL)
        }
        let last = try #require(try await fifo.expect("up")["up"])
        try await self.kill(first)
        let second = try MasterRun(session, [worker])
        try await second.expect(
          "alpha: the last run (pid \(first.pid)) left pid \(last) (test-workload): ended by SIGTERM")
        try await fifo.expect("up")
        #expect(try await second.stop().result.ending == .exited(0))
        #expect(self.ledgers(session).isEmpty)
      }
    }

    @Test("TERM while the leftovers are being ended ends the start; the next one goes on with them")
    func terminatedMeanwhile() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let worker = TestWorker(
          "alpha", ["ignore", "TERM", "tell", Bytes(fifo.path), "up"], "contain = \"session\"",
          "stop = [ { signal = \"TERM\", wait = \"30s\" } ]")
        let first = try MasterRun(session, [worker])
        let left = try #require(try await fifo.expect("up")["up"])
        try await self.kill(first)
        let second = try MasterRun(session, [worker])
        try await second.expect("ending what the last run left")
        let (result, took) = try await second.stop()
        #expect(result.ending == .exited(0))
        #expect(took < .milliseconds(2500), "it does not wait for them")
        #expect(!result.errors.contains("alpha starting"))
        #expect(ProcTable.process(left)?.isZombie == false)
        #expect(self.ledgers(session).count == 1)
        let third = try MasterRun(session, [worker])
        try await third.expect(
          "alpha: the last run (pid \(first.pid)) left pid \(left) (test-workload): ended by SIGKILL")
        third.process.send(SIGQUIT)
        try await third.process.end()
      }
    }

    // MARK: What a ledger says and is not so

    /// A ledger of `procctl.toml` in the session's directory, as one that is gone would have left it.
    private func write(
      _ session: TestSession, _ entries: [Ledger.Entry], boot: String = RecordedProcess.currentBoot(),
      master: pid_t = 4_000_000, cgroup: FilePath? = nil, change: (inout String) -> Void = { _ in }
    ) throws -> String {
      for directory in ["procctl", "procctl/masters"] { mkdir(session.path(directory), 0o700) }
      let file = try session.write("", to: "procctl.toml")
      let name = LedgerName(of: LedgerName.canonical(FilePath(file)))
      let ledger = Ledger(
        header: Ledger.Header(
          master: RecordedProcess(
            identity: ProcessIdentity(processIdentifier: ProcessIdentifier(master), startTime: 1), boot: boot),
          namespace: PidNamespace.own(), cgroup: cgroup, configuration: name.configuration),
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
        #expect(self.ledgers(session).isEmpty)
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

    // MARK: Surroundings

    @Test("two masters of one configuration live side by side; the death of one is not the other's")
    func twoMasters() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let worker = TestWorker("alpha", ["tell", Bytes(fifo.path), "up"], "contain = \"session\"")
        let first = try MasterRun(session, [worker])
        let firstWorker = try #require(try await fifo.expect("up")["up"])
        let second = try MasterRun(session, [worker])
        let secondWorker = try #require(try await fifo.expect("up")["up"])
        #expect(self.ledgers(session).count == 2)
        #expect(!second.said.contains("the last run"))
        try await self.kill(first)
        let third = try MasterRun(session, [worker])
        try await third.expect("left pid \(firstWorker) (test-workload): ended by SIGTERM")
        try await fifo.expect("up")
        #expect(ProcTable.process(secondWorker)?.isZombie == false)
        #expect(try await third.stop().result.ending == .exited(0))
        #expect(try await second.stop().result.ending == .exited(0))
        #expect(self.ledgers(session).isEmpty)
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
      "an end with survivors keeps the ledger, and the next start tries again",
      .needs(.root, "a process the master may not signal"))
    func survivors() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        // With set-user-ID it becomes root for good below a master that is nobody.
        let program = try session.publicWorkload()
        try #require(chmod(program, 0o4755) == 0)
        // The runtime directory has that name here.
        let procctl = session.path("program")
        try #require(rename(try session.publicCopy(of: Programs.procctl), procctl) == 0)
        try #require(mkdir(session.path("procctl"), 0o700) == 0)
        try #require(chown(session.path("procctl"), 65534, 65534) == 0)
        var worker = TestWorker(
          "alpha", ["user", "0", "ignore", "TERM", "tell", Bytes(fifo.path), "up"], "contain = \"session\"",
          "stop = [ { signal = \"TERM\", wait = \"200ms\" } ]")
        worker.command[0] = program
        let configured = worker
        func master() throws -> MasterRun {
          try MasterRun(session, [configured], prelude: ["user", "65534"], program: procctl)
        }
        let first = try master()
        let left = try #require(try await fifo.expect("up")["up"])
        #expect(try await first.stop().result.ending == .exited(5))
        #expect(self.ledgers(session).count == 1)
        let second = try master()
        try await second.expect("the last run (pid \(first.pid)) left pid \(left) (test-workload): survived")
        try await fifo.expect("up")
        #expect(
          self.ledgers(session).count == 2, "its own, and that of the first, whose survivor still lives")
        second.process.send(SIGKILL)
        try await second.process.end()
        try await session.sweep()
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
        // The number after ns_last_pid is what the next process gets (proc(5)).
        let script = """
          "$1" run "$3" 2>"$3.log" & master=$!
          read -r go
          worker=$(sed -n 's/.*alpha starting (pid \\([0-9]*\\)).*/\\1/p' "$3.log")
          kill -9 $master; wait $master; kill -9 $worker
          while kill -0 $worker 2>/dev/null; do /bin/true; done
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
        #expect(self.ledgers(session).isEmpty)
      }
    }
  }
}
