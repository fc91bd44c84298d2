import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: workers under guards and in pid namespaces.
  @Suite struct MasterGuard {
    private let quickStop = "stop = [ { signal = \"TERM\", wait = \"300ms\" }, { signal = \"KILL\" } ]"

    private func name(of pid: pid_t) -> String? { ProcTable.process(pid)?.name }

    // MARK: The master's death

    @Test(
      "when the master is shot, all of the workers are ended at once, deaf ones too",
      arguments: Containment.tiedToMaster)
    func masterShot(_ containment: Containment) async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements(), leader: ["ignore", "TERM"])
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker("alpha", workload.actions, containment.line),
            TestWorker("beta", ["http", "{port}"], port: port, ready: "http:/health", containment.line),
          ])
        _ = try await workload.start()
        try await master.allReady()
        #expect(session.members().count == 8, "master, two guards, four of alpha, one of beta")
        let stopwatch = Stopwatch()
        master.process.send(SIGKILL)
        #expect(try await master.process.end().ending == .signaled(SIGKILL))
        try await session.until("nobody is left") { session.members().isEmpty }
        #expect(stopwatch.elapsed < .seconds(10), "TERM alone is waited for half as long again")
        #expect(ProcTable.listeners()[port] == nil)
      }
    }

    @Test("control: with session containment they are all left")
    func controlMasterShot() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements(), leader: ["ignore", "TERM"])
        let master = try MasterRun(
          session, [TestWorker("alpha", workload.actions, Containment.session.line)])
        _ = try await workload.start()
        master.process.send(SIGKILL)
        #expect(try await master.process.end().ending == .signaled(SIGKILL))
        #expect(!(await self.isEmptySoon(session)))
        #expect(session.members().count == 4)
        try await session.sweep()
      }
    }

    private func isEmptySoon(_ session: TestSession) async -> Bool {
      do {
        try await session.until("nobody is left", within: .milliseconds(1500)) { session.members().isEmpty }
        return true
      } catch {
        return false
      }
    }

    // MARK: Whose a process is

    @Test("a daemon that hides whose it is goes with its worker, not only with the master")
    func hiddenDaemon() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha",
              unmarkedDaemon(fifo) + ["tell", Bytes(fifo.path), "leader"], self.quickStop,
              Containment.guardian.line)
          ])
        let first = try await fifo.expect("daemon", "leader")
        kill(try #require(first["leader"]), SIGKILL)
        let second = try await fifo.expect("daemon", "leader")
        let old = try #require(first["daemon"])
        #expect(second["daemon"] != old)
        #expect(ProcTable.process(old)?.isZombie != false, "ended before the next start")
        #expect(try await master.stop().result.ending == .exited(3))
      }
    }

    // MARK: The guard itself

    @Test("a guard that is shot takes nobody with it unseen: its worker is ended and comes back")
    func guardShot() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let master = try MasterRun(
          session, [TestWorker("alpha", workload.actions, self.quickStop, Containment.guardian.line)])
        let first = try await workload.start()
        let guardian = try #require(master.children.first)
        #expect(self.name(of: guardian.pid) == "procctl" && !first.values.contains(guardian.pid))
        kill(guardian.pid, SIGKILL)
        try await master.expect("its guard was ended by SIGKILL")
        let second = try await workload.start()
        for (role, pid) in first where second[role] != pid {
          #expect(ProcTable.process(pid)?.isZombie != false, "the old \(role)")
        }
        #expect(session.members().count == 6, "master, guard and four")
        #expect(try await master.stop().result.ending == .exited(3))
      }
    }

    @Test("a guard that was stopped does not stop the stop")
    func guardStopped() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let master = try MasterRun(
          session, [TestWorker("alpha", workload.actions, self.quickStop, Containment.guardian.line)])
        _ = try await workload.start()
        let guardian = try #require(master.children.first)
        kill(guardian.pid, SIGSTOP)
        try await session.untilState(of: guardian.pid, is: "T")
        #expect(try await master.stop().result.ending == .exited(3))
        #expect(session.members().isEmpty)
      }
    }

    @Test(
      "a stop that is faster than the guard's start is obeyed all the same",
      arguments: Containment.tiedToMaster)
    func stoppedAtOnce(_ containment: Containment) async throws {
      try await withSession { session in
        for _ in 0..<5 {
          let master = try MasterRun(
            session,
            [
              TestWorker(
                "alpha", ["hold"], "stop = [ { signal = \"TERM\", wait = \"30s\" } ]", containment.line)
            ])
          // Then its guard runs and has not come to its program.
          try await master.expect("alpha starting")
          let (result, took) = try await master.stop()
          #expect(result.ending == .exited(0), "\(result.errors)")
          #expect(took < .seconds(10))
        }
      }
    }

    @Test("a worker's own end is told at once, though its guard lives on for what it left")
    func leftovers() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha",
              [
                "daemonize", "ignore", "TERM", "tell", path, "daemon", "end", "tell", path, "leader",
                "exit-on", "USR1", "7",
              ],
              "restart = \"never\"", Containment.guardian.line)
          ])
        let pids = try await fifo.expect("daemon", "leader")
        kill(try #require(pids["leader"]), SIGUSR1)
        try await master.expect("alpha stopping (pid \(try #require(pids["leader"]))): exited with status 7")
        try await master.expect("alpha stopped")
        #expect(session.members().map(\.pid) == [master.pid])
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("what cannot be started is said as without a guard", arguments: Containment.possible)
    func cannotStart(_ containment: Containment) async throws {
      try await withSession { session in
        let file = try session.write("no program\n", to: "text")
        try #require(chmod(file, 0o755) == 0)
        var missing = TestWorker("missing", [], containment.line)
        missing.command = ["no-such-program-here"]
        var text = TestWorker("text", [], containment.line)
        text.command = [file]
        let master = try MasterRun(session, [missing, text])
        try await session.until("both are said to be blocked") {
          master.said.contains(
            "missing blocked: find no-such-program-here in PATH: No such file or directory")
            && master.said.contains("text blocked: execute \(file): Exec format error")
        }
        #expect(master.children.isEmpty)
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("READY=1 counts through a guard and out of a pid namespace", arguments: Containment.tiedToMaster)
    func notified(_ containment: Containment) async throws {
      try await withSession { session in
        let gate = try session.announcements("gate")
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", Bytes(fifo.path), "up", "await", Bytes(gate.path), "notify", "READY=1"],
              ready: "notify", containment.line)
          ])
        try await fifo.expect("up")
        #expect(await !master.says("alpha ready", within: .milliseconds(300)))
        try gate.open()
        try await master.allReady()
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("what the worker's environment says is for the worker, and not for its guard")
    func environment() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", Bytes(fifo.path), "up"],
              "environment = { LD_LIBRARY_PATH = \"/nowhere/at/all\", SECRET = \"a b=c\" }",
              Containment.guardian.line)
          ])
        let pid = try #require(try await fifo.expect("up")["up"])
        let guardian = try #require(master.children.first)
        for variable in ["LD_LIBRARY_PATH=/nowhere/at/all", "SECRET=a b=c"] {
          #expect(ProcTable.environment(of: pid, holds: variable))
          #expect(!ProcTable.environment(of: guardian.pid, holds: variable))
        }
        #expect(ProcTable.text("/proc/\(guardian.pid)/cmdline")?.contains("SECRET") == false)
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("what a guard cannot start is said once, and never called ready")
    func cannotExecute() async throws {
      try await withSession { session in
        let file = try session.write("no program\n", to: "text")
        try #require(chmod(file, 0o755) == 0)
        var worker = TestWorker("alpha", [], Containment.guardian.line)
        worker.command = [file]
        let master = try MasterRun(session, [worker])
        try await master.expect("alpha blocked")
        // Its second try is a second later.
        #expect(await !master.says("procctl: alpha", within: .milliseconds(1800)))
        #expect(!master.said.contains("ready"))
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test(
      "the worker is who it shall be, and its guard stays who we are", .needs(.root, "to be somebody else"))
    func otherUser() async throws {
      try await withSession { session in
        let program = try session.publicWorkload()
        let fifo = try session.announcements()
        var worker = TestWorker(
          "alpha", [], "user = \"nobody\"", "no-new-privileges = true", "limits = { nofile = \"100:200\" }",
          "umask = \"0077\"", "nice = 5", "directory = \"/\"", "environment = { HELLO = \"there\" }",
          Containment.guardian.line)
        worker.command = [program, "tell", fifo.path, "up"]
        let master = try MasterRun(session, [worker])
        let pid = try #require(try await fifo.expect("up")["up"])
        let status = try #require(ProcTable.text("/proc/\(pid)/status"))
        #expect(status.contains("Uid:\t65534\t65534") && status.contains("NoNewPrivs:\t1"))
        #expect(status.contains("Umask:\t0077") && status.contains("CapEff:\t0000000000000000"))
        let files = ProcTable.text("/proc/\(pid)/limits")?.split(separator: "\n")
          .first { $0.hasPrefix("Max open files") }?.split(separator: " ")
        #expect(files?.contains("100") == true && files?.contains("200") == true)
        #expect(ProcTable.environment(of: pid, holds: "HELLO=there"))
        let guardian = try #require(master.children.first)
        #expect(ProcTable.text("/proc/\(guardian.pid)/status")?.contains("Uid:\t0\t0") == true)
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    // MARK: Choosing

    @Test(
      "by itself it takes a guard where no cgroup can be made, and says why",
      .needs(.root, "to become a plain user"))
    func automatic() async throws {
      try await withSession { session in
        let program = try session.publicWorkload()
        let fifo = try session.announcements()
        var worker = TestWorker("alpha", [])
        worker.command = [program, "tell", fifo.path, "up"]
        let master = try MasterRun(
          session, [worker], prelude: ["user", "65534"], program: try session.publicCopy(of: Programs.procctl)
        )
        try await master.expect("workers are contained by guards")
        try await master.expect("no-cgroups=")
        let pid = try #require(try await fifo.expect("up")["up"])
        master.process.send(SIGKILL)
        _ = try await master.process.end()
        try await session.untilEnd(of: pid)
        try await session.until("the guard has ended") { session.members().isEmpty }
      }
    }

    @Test(
      "a pid namespace needs no rights where user namespaces are allowed, but then no other user either",
      .needs(.root, "to become a plain user"))
    func unprivilegedNamespace() async throws {
      try await withSession { session in
        let program = try session.publicWorkload()
        let procctl = try session.publicCopy(of: Programs.procctl)
        let fifo = try session.announcements()
        var worker = TestWorker("alpha", [], Containment.pidNamespace.line)
        worker.command = [program, "daemonize", "ignore", "TERM", "end", "tell", fifo.path, "up"]
        var stranger = TestWorker("stranger", [], "user = \"daemon\"", Containment.pidNamespace.line)
        stranger.command = [program]
        let master = try MasterRun(
          session, [worker, stranger], prelude: ["user", "65534"], program: procctl)
        let pid = try #require(try await fifo.expect("up")["up"])
        #expect(pid < 10, "its own number in a namespace of its own")
        try await session.until("the other one is blocked") {
          master.said.contains(
            "stranger blocked: run as user 1 in a pid namespace that was made without rights")
        }
        master.process.send(SIGKILL)
        _ = try await master.process.end()
        try await session.until("nobody is left") { session.members().isEmpty }
      }
    }

    @Test("in a pid namespace the worker cannot harm what guards it")
    func namespaceIsSealed() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        var worker = TestWorker("alpha", [], Containment.pidNamespace.line)
        worker.command = [
          "/bin/sh", "-c",
          "kill -KILL 1; kill -STOP 1; exec \(Programs.workload) tell \(fifo.path) up",
        ]
        let master = try MasterRun(session, [worker])
        #expect(try #require(try await fifo.expect("up")["up"]) == 2)
        let guardian = try #require(master.children.first)
        #expect(guardian.state != "T" && !guardian.isZombie)
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }
  }
}
