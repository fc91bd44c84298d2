import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: the stop, and the exit status that says how it went.
  @Suite struct MasterStop {
    /// For who does not obey: each step is waited for in vain.
    private let asked =
      "stop = [ { request = \"POST /shutdown\", wait = \"300ms\" }, { signal = \"TERM\", wait = \"300ms\" }, { signal = \"INT\", wait = \"300ms\" }, { signal = \"KILL\" } ]"
    private let signalled = "stop = [ { signal = \"TERM\", wait = \"1s\" }, { signal = \"KILL\" } ]"
    /// Who obeys has all the time a machine that stands still takes from it, and the stop still ends at once.
    private func waits(_ request: String) -> String {
      "stop = [ { request = \"POST /shutdown\", wait = \"\(request)\" }, { signal = \"TERM\", wait = \"12s\" }, { signal = \"KILL\" } ]"
    }
    /// Well below the steps of ``waits(_:)``, and the 15 s that ports have.
    private let soon = Duration.seconds(8)

    // MARK: Exit status

    @Test("0: a worker that was asked and went, by request or by its first signal")
    func clean() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "asked", ["ignore", "TERM", "http", "{port}"], port: port, ready: "tcp", self.waits("12s")),
            TestWorker(
              "told", ["exit-on", "TERM", "0"], "stop = [ { signal = \"TERM\", wait = \"20s\" } ]"),
            TestWorker("dies", ["hold"], "stop = [ { signal = \"TERM\", wait = \"20s\" } ]"),
          ])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(took < self.soon)
      }
    }

    @Test("2: a worker that was asked needed TERM")
    func neededTerminate() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["http-stubborn", "{port}"], port: port, ready: "tcp", self.waits("300ms"))
          ])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(2))
        #expect(took >= .milliseconds(300) && took < self.soon)
      }
    }

    @Test("2: a worker without a stop request obeyed only its second signal")
    func neededInterrupt() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["ignore", "TERM", "tell", Bytes(fifo.path), "up"],
              "stop = [ { signal = \"TERM\", wait = \"200ms\" }, { signal = \"INT\", wait = \"5s\" } ]")
          ])
        try await fifo.expect("up")
        #expect(try await master.stop().result.ending == .exited(2))
      }
    }

    @Test("2: a worker that cannot be asked, because nobody answers on its port, is signalled at once")
    func cannotBeAsked() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", Bytes(fifo.path), "up"], port: port,
              "stop = [ { request = \"POST /shutdown\", wait = \"12s\" }, { signal = \"TERM\", wait = \"12s\" } ]"
            )
          ])
        try await fifo.expect("up")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(2))
        #expect(took < self.soon)
      }
    }

    @Test("3: a worker needed KILL")
    func neededKill() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["ignore", "TERM", "ignore", "INT", "http-stubborn", "{port}"], port: port,
              ready: "tcp",
              self.asked)
          ])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(3))
        #expect(took >= .milliseconds(900) && took < self.soon)
        #expect(result.errors.contains("alpha needed KILL"))
      }
    }

    @Test("4: a port is still held by somebody outside, who is named", arguments: Containment.possible)
    func portHeld(_ containment: Containment) async throws {
      try await withSession { session in
        let port = try session.freePort()
        let borrower = try SocketBorrower(path: session.path("lend"))
        let master = try MasterRun(
          session, preamble: "[shutdown]\nports = \"500ms\"",
          [
            TestWorker(
              "alpha", ["lend-listener", "{port}", Bytes(borrower.path)], port: port, containment.line)
          ])
        let socket = try await borrower.borrowed()
        try await master.allReady()
        let (result, took) = try await master.stop()
        close(socket)
        #expect(result.ending == .exited(4))
        #expect(took >= .milliseconds(500) && took < self.soon)
        #expect(
          result.errors.contains("port \(port)") && result.errors.contains("pid \(getpid())"),
          "\(result.errors)")
      }
    }

    @Test("0: the port becomes free while it is waited for")
    func portFreed() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let borrower = try SocketBorrower(path: session.path("lend"))
        let fifo = try session.announcements()
        let master = try MasterRun(
          session, preamble: "[shutdown]\nports = \"15s\"",
          [
            TestWorker(
              "alpha", ["lend-listener", "{port}", Bytes(borrower.path), "tell", Bytes(fifo.path), "up"],
              port: port)
          ])
        let socket = try await borrower.borrowed()
        let worker = try #require(try await fifo.expect("up")["up"])
        master.process.send(SIGTERM)
        try await session.untilEnd(of: worker)
        let stopwatch = Stopwatch()
        close(socket)
        #expect(try await master.process.end().ending == .exited(0))
        #expect(stopwatch.elapsed < self.soon)
      }
    }

    @Test(
      "5: a process is left that the master may not signal, and it is named",
      .needs(.root, "a process the master may not signal"))
    func survivor() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        // With set-user-ID it becomes root for good below a master that is nobody.
        let program = try session.publicWorkload()
        try #require(chmod(program, 0o4755) == 0)
        let procctl = try session.publicCopy(of: Programs.procctl)
        var worker = TestWorker(
          "alpha", ["user", "0", "ignore", "TERM", "tell", Bytes(fifo.path), "up"],
          "stop = [ { signal = \"TERM\", wait = \"200ms\" } ]")
        worker.command[0] = program
        let runtime = session.path("theirs")
        try #require(mkdir(runtime, 0o700) == 0 && chown(runtime, 65534, 65534) == 0)
        let master = try MasterRun(session, [worker], prelude: ["user", "65534"], program: procctl)
        let pid = try #require(try await fifo.expect("up")["up"])
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(5))
        #expect(took < .seconds(8))
        #expect(result.errors.contains("survivor: ") && result.errors.contains("\(pid)"), "\(result.errors)")
        try await session.sweep()
      }
    }

    @Test("6: a cleanup failed; those after it ran all the same, last written first")
    func cleanups() async throws {
      try await withSession { session in
        let file = session.path("order")
        func cleanup(_ name: String, _ command: String) -> String {
          "[[cleanups]]\nname = \"\(name)\"\ncommand = [\"/bin/sh\", \"-c\", \"\(command)\"]\ntimeout = \"500ms\""
        }
        let master = try MasterRun(
          session,
          preamble: [
            cleanup("first", "echo first >> \(file)"), cleanup("second", "echo second >> \(file); exit 1"),
            cleanup("third", "echo third >> \(file); trap '' TERM; sleep 50 & wait; wait"),
            cleanup("fourth", "echo fourth >> \(file)"),
          ].joined(separator: "\n"), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(6))
        #expect(took < .seconds(10))
        #expect(ProcTable.text(file) == "fourth\nthird\nsecond\nfirst\n")
        #expect(result.errors.contains("second") && result.errors.contains("third"))
      }
    }

    @Test("64: a bad command line; 78: a bad configuration, its place named")
    func refused() async throws {
      try await withSession { session in
        #expect(try await session.procctl("run", "--no-such-option").end().ending == .exited(64))
        #expect(try await session.procctl("run", "one", "two").end().ending == .exited(64))
        let missing = try await session.procctl("run", Bytes(session.path("missing.toml"))).end()
        #expect(missing.ending == .exited(78))
        #expect(missing.errors.contains("missing.toml"))
        for (text, mentioned) in [
          ("[workers.alpha]\ncommand = [\"true\"]\nport = 70000\n", ":3"), ("[workers\n", ":1"),
          ("[workers.alpha]\nport = 80\n", "command"),
          ("[workers.alpha]\ncommand = [\"true\"]\nredy = \"tcp\"\n", "redy"),
        ] {
          let file = try session.write(text, to: "bad.toml")
          let result = try await session.procctl("run", Bytes(file)).end()
          #expect(result.ending == .exited(78))
          #expect(result.errors.contains("bad.toml") && result.errors.contains(mentioned), "\(result.errors)")
        }
      }
    }

    @Test("--check starts nothing")
    func check() async throws {
      try await withSession { session in
        let file = try session.write(
          TestWorker("alpha", ["touch", Bytes(session.path("started"))]).table + "\n", to: "procctl.toml")
        let result = try await session.procctl("run", "--check", Bytes(file)).end()
        #expect(result.ending == .exited(0))
        #expect(result.outputText.contains("alpha"))
        #expect(access(session.path("started"), F_OK) != 0)
      }
    }

    // MARK: Nothing left

    @Test("of deaf, escaped and daemonised children nobody is left", arguments: Containment.possible)
    func misbehaving(_ containment: Containment) async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let master = try MasterRun(
          session, [TestWorker("alpha", workload.actions, self.signalled, containment.line)])
        _ = try await workload.start()
        let (result, took) = try await master.stop()
        #expect(session.members().isEmpty, "at the moment it returns")
        #expect(result.ending == .exited(3))
        #expect(took >= .seconds(1) && took < .seconds(4))
      }
    }

    @Test(
      "one worker's crash takes its own children, and nobody else's", arguments: Containment.sharingNumbers)
    func crash(_ containment: Containment) async throws {
      try await withSession { session in
        let alpha = Misbehaving(fifo: try session.announcements("alpha"), leader: ["exit-on", "USR1", "1"])
        let beta = Misbehaving(fifo: try session.announcements("beta"))
        let master = try MasterRun(
          session,
          [
            TestWorker("alpha", alpha.actions, self.signalled, containment.line),
            TestWorker("beta", beta.actions, self.signalled, containment.line),
          ])
        let old = try await alpha.start()
        let others = try await beta.start()
        let stopwatch = Stopwatch()
        kill(try #require(old["leader"]), SIGUSR1)
        let new = try await alpha.start()
        #expect(stopwatch.elapsed < .seconds(15), "five for the leftovers, ten for the rest")
        let guards = containment == .guardian ? master.children.map(\.pid) : []
        #expect(
          Set(session.members().map(\.pid)) == Set([master.pid] + new.values + others.values + guards))
        #expect(!master.children.contains { $0.isZombie })
        #expect(try await master.stop().result.ending == .exited(3))
      }
    }

    @Test(
      "a process that forks on and on, never the same one for long, is caught",
      arguments: Containment.possible)
    func hopping(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha",
              [
                "ignore", "TERM", "daemonize", "tell", path, "daemon", "hop", "2", "end", "exit-on", "TERM",
                "0", "tell",
                path, "leader",
              ], "stop = [ { signal = \"TERM\", wait = \"200ms\" }, { signal = \"KILL\" } ]", containment.line
            )
          ])
        try await fifo.expect("daemon", "leader")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(3), "\(result.errors)")
        // On a busy machine it may never live long enough for its environment to be read. Then nobody but
        // a cgroup or a guard knows whose it is, and it is ended with what belongs to no worker: five seconds.
        #expect(took < (containment == .session ? .seconds(8) : .seconds(3)))
      }
    }

    @Test("control: a leader shot under nobody's care leaves the other three")
    func control() async throws {
      try await withSession { session in
        let workload = Misbehaving(fifo: try session.announcements())
        let process = try session.workload(workload.actions)
        let pids = try await workload.start()
        process.send(SIGTERM)
        _ = try await process.end()
        #expect(
          Set(session.members().map(\.pid)) == Set(["deaf", "session", "daemon"].compactMap { pids[$0] }))
        try await session.sweep()
      }
    }

    @Test("3: what belongs to no worker and has to be killed counts as well")
    func strangerKilled() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        // A daemon that hid whose it is: session containment finds it at the end, below the master.
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha",
              unmarkedDaemon(fifo) + ["exit-on", "TERM", "0", "tell", Bytes(fifo.path), "leader"],
              self.signalled, Containment.session.line)
          ])
        try await fifo.expect("daemon", "leader")
        let (result, _) = try await master.stop()
        #expect(result.ending == .exited(3))
        #expect(result.errors.contains("what belonged to no worker needed KILL"), "\(result.errors)")
        #expect(session.members().isEmpty)
      }
    }

    // MARK: All at once

    @Test("a hundred workers that take 300 ms each are stopped in the time of one", .timeLimit(.minutes(2)))
    func hundred() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          (0..<100).map {
            TestWorker("w\($0)", ["slow-exit", "TERM", "300", "tell", Bytes(fifo.path), "up"])
          })
        _ = try await fifo.expect(100, of: "up", within: .seconds(60))
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        // One after the other it would be 30 s.
        #expect(took >= .milliseconds(300) && took < .seconds(8))
      }
    }

    @Test("a hundred servers on a hundred ports are asked and verified all at once", .timeLimit(.minutes(2)))
    func hundredServers() async throws {
      try await withSession { session in
        let master = try MasterRun(
          session,
          try (0..<100).map {
            TestWorker("w\($0)", ["http", "{port}"], port: try session.freePort(), ready: "http:/health")
          })
        try await master.expect("all workers are ready", within: .seconds(60))
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(took < self.soon)
        #expect(session.listeningPorts().isEmpty)
      }
    }

    // MARK: Impatience

    /// A master whose worker hears nothing but KILL, and that would wait for a minute.
    private func patient(_ session: TestSession) async throws -> MasterRun {
      let fifo = try session.announcements()
      let master = try MasterRun(
        session, preamble: "[shutdown]\nworkers = \"120s\"",
        [
          TestWorker(
            "alpha", ["ignore", "TERM", "ignore", "INT", "ignore", "USR1", "tell", Bytes(fifo.path), "up"],
            "stop = [ { signal = \"TERM\", wait = \"50s\" }, { signal = \"USR1\", wait = \"50s\" } ]")
        ])
      try await fifo.expect("up")
      try await master.allReady()
      return master
    }

    @Test("a second INT goes on to the next step, a third to KILL")
    func hurry() async throws {
      try await withSession { session in
        let master = try await self.patient(session)
        master.process.send(SIGINT)
        try await master.expect("stopping: SIGINT")
        master.process.send(SIGINT)
        try await master.expect("interrupted again")
        let members = session.members()
        #expect(members.count == 2, "\(members)")
        master.process.send(SIGINT)
        let stopwatch = Stopwatch()
        #expect(try await master.process.end().ending == .exited(3))
        #expect(stopwatch.elapsed < self.soon)
      }
    }

    @Test("a second TERM changes nothing")
    func repeated() async throws {
      try await withSession { session in
        let master = try await self.patient(session)
        master.process.send(SIGTERM)
        try await master.expect("stopping: SIGTERM")
        for _ in 0..<3 {
          master.process.send(SIGTERM)
          try await master.expect("already stopping")
        }
        let members = session.members()
        #expect(members.count == 2, "\(members)")
        master.process.send(SIGQUIT)
        #expect(try await master.process.end().ending == .exited(3))
      }
    }

    @Test("QUIT kills at once, stopping or not", arguments: [true, false])
    func quit(_ stopping: Bool) async throws {
      try await withSession { session in
        let master = try await self.patient(session)
        if stopping {
          master.process.send(SIGTERM)
          try await master.expect("stopping: SIGTERM")
        }
        let stopwatch = Stopwatch()
        master.process.send(SIGQUIT)
        #expect(try await master.process.end().ending == .exited(3))
        #expect(stopwatch.elapsed < self.soon)
      }
    }

    @Test("impatience during the cleanups ends the one that runs, or all", arguments: [SIGINT, SIGQUIT])
    func impatientWithCleanups(_ signal: Int32) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        func cleanup(_ name: String) -> String {
          """
          [[cleanups]]
          name = "\(name)"
          command = ["\(Programs.workload)", "ignore", "TERM", "tell", "\(fifo.path)", "\(name)"]
          timeout = "60s"

          """
        }
        let master = try MasterRun(
          session, preamble: cleanup("first") + cleanup("last"), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        master.process.send(SIGTERM)
        try await fifo.expect("last")
        master.process.send(signal)
        if signal == SIGINT {
          // The next one runs all the same.
          try await fifo.expect("first")
          master.process.send(signal)
        }
        let stopwatch = Stopwatch()
        let result = try await master.process.end()
        #expect(result.ending == .exited(6))
        #expect(stopwatch.elapsed < .seconds(10))
        #expect(fifo.rest().isEmpty, "QUIT skips what has not begun")
        #expect(session.members().isEmpty)
      }
    }

    @Test("a stop while workers start, wait for their port, or are in back-off is a stop all the same")
    func early() async throws {
      try await withSession { session in
        let socket = try LoopbackSocket(listens: true)
        let port = try session.freePort()
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker("blocked", ["http", "{port}"], port: socket.port, ready: "tcp"),
            TestWorker("slow", ["tell", Bytes(fifo.path), "up", "hold"], port: port, ready: "tcp"),
            TestWorker("broken", ["exit", "1"], "backoff = { first = \"60s\", max = \"60s\" }"),
            TestWorker("absent", []),
          ].map { worker in
            var worker = worker
            if worker.name == "absent" { worker.command = ["/nowhere/at/all"] }
            return worker
          })
        try await fifo.expect("up")
        try await master.expect("broken backoff")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < self.soon)
      }
    }
  }
}
