import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// The control socket, and the verbs that use it.
  @Suite struct ControlSocket {
    private static let rootReason = "only root can be somebody else"
    private let quick = "stop = [ { signal = \"TERM\", wait = \"500ms\" }, { signal = \"KILL\" } ]"

    private func path(_ session: TestSession) -> String { session.path("control.socket") }
    private func preamble(_ session: TestSession) -> String {
      "[master]\ncontrol = \"\(self.path(session))\""
    }

    private func procctl(
      _ session: TestSession, _ arguments: Bytes...
    ) async throws -> TestProcess.Result {
      try await session.procctl(arguments).end()
    }

    @Test("describes itself, answers errors with errors, and calls of one connection in their order")
    func varlink() async throws {
      try await withSession { session in
        let master = try MasterRun(
          session, preamble: self.preamble(session), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let client = try RawClient(path: self.path(session))
        let info = try await client.call("org.varlink.service.GetInfo")
        #expect(info.contains("\"interfaces\":[\"org.varlink.service\",\"dev.procctl.Master\"]"))
        let description = try await client.call(
          "org.varlink.service.GetInterfaceDescription",
          ",\"parameters\":{\"interface\":\"dev.procctl.Master\"}")
        #expect(description.contains("method Monitor() -> "))
        #expect(try await client.call("no.such.Thing").contains("org.varlink.service.InterfaceNotFound"))
        #expect(
          try await client.call("dev.procctl.Master.Stop", ",\"parameters\":{\"workers\":[\"nobody\"]}")
            == "{\"error\":\"dev.procctl.Master.NoSuchWorker\",\"parameters\":{\"worker\":\"nobody\"}}")
        client.say(Array("{\"method\":\"dev.procctl.Master.Status\"}\0{\"method\":\"x\"}\0".utf8))
        #expect(try await client.reply().contains("\"state\":\"ready\""))
        #expect(try await client.reply().contains("MethodNotFound"))
        // What wants no answer gets none.
        client.say(Array("{\"method\":\"dev.procctl.Master.Status\",\"oneway\":true}\0".utf8))
        #expect(try await client.call("x").contains("MethodNotFound"))
        _ = try await master.stop()
        #expect(access(self.path(session), F_OK) != 0)
      }
    }

    @Test("garbage and what never ends are cut off; the master goes on")
    func hostile() async throws {
      try await withSession { session in
        let master = try MasterRun(
          session, preamble: self.preamble(session), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let garbage = try RawClient(path: self.path(session))
        garbage.say(Array("}{\0".utf8))
        #expect(try await garbage.expectEnd())
        let endless = try RawClient(path: self.path(session))
        while endless.say([UInt8](repeating: UInt8(ascii: "["), count: 32 * 1024)) > 0 {}
        #expect(try await endless.expectEnd())
        var many: [RawClient] = []
        for _ in 0..<100 { many.append(try RawClient(path: self.path(session))) }
        #expect(
          try await RawClient(path: self.path(session)).call("dev.procctl.Master.Status").contains(
            "\"ready\":true"))
        #expect(ProcTable.descriptorCount(of: master.pid) < 60)
        _ = many
        _ = try await master.stop()
      }
    }

    @Test("stop, start and restart wait for what comes of it, and say it in their status")
    func verbs() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let master = try MasterRun(
          session, preamble: self.preamble(session),
          [
            TestWorker("alpha", ["tell", Bytes(fifo.path), "alpha"], self.quick),
            TestWorker("beta", ["http", "{port}"], port: port, ready: "tcp"),
          ])
        try await master.allReady()
        let config = Bytes(session.path("procctl.toml"))
        let first = try #require(try await fifo.expect("alpha")["alpha"])
        #expect(try await self.procctl(session, "stop", "--config", config, "alpha").ending == .exited(0))
        #expect(ProcTable.process(first) == nil)
        // What it waited for is in the history at once.
        let why = try await self.procctl(session, "why", "--config", config, "alpha")
        #expect(why.outputText.contains("somebody commanded it to stop"), "\(why)")
        let status = try await self.procctl(session, "status", config)
        #expect(status.ending == .exited(1))
        #expect(status.outputText.contains("ready 1/2"))
        #expect(status.outputText.split(separator: "\n").contains { $0.hasPrefix("alpha   stopped  ") })
        #expect(try await self.procctl(session, "start", "--config", config, "alpha").ending == .exited(0))
        let second = try #require(try await fifo.expect("alpha")["alpha"])
        #expect(
          try await self.procctl(session, "restart", "--config", config, "alpha", "beta").ending == .exited(0)
        )
        let third = try #require(try await fifo.expect("alpha")["alpha"])
        #expect(second != third && ProcTable.process(second) == nil)
        let json = try await self.procctl(session, "status", "--json", config)
        #expect(json.ending == .exited(0))
        #expect(json.outputText.contains("\"pid\":\(third),"), "\(json.outputText)")
        #expect(json.outputText.contains("\"port\":\(port),\"restarts\":1,"))
        let unknown = try await self.procctl(session, "stop", "--config", config, "gamma")
        #expect(unknown.ending == .exited(64) && unknown.errors.contains("there is no worker gamma"))
        let log = try await master.stop().result.errors
        #expect(log.contains("info procctl: alpha stopping (pid \(first)): asked to stop"))
        #expect(!log.contains("warning procctl: alpha"), "nothing went wrong")
        let none = try await self.procctl(session, "status", config)
        #expect(none.ending == .exited(69) && none.errors.contains("no master of"))
        let nobody = try await self.procctl(session, "status", "--control", Bytes(self.path(session)))
        #expect(nobody.ending == .exited(69))
        #expect(nobody.errors == "procctl: status: no master listens on \(self.path(session))\n")
      }
    }

    @Test("a worker that does not get ready is said so; one that is not in time is left to it")
    func verbFailures() async throws {
      try await withSession { session in
        let master = try MasterRun(
          session, preamble: self.preamble(session),
          [
            TestWorker("alpha", ["exit", "3"], "restart = \"never\""),
            TestWorker(
              "deaf", ["ignore", "TERM", "notify", "READY=1"], ready: "notify",
              "stop = [ { signal = \"TERM\", wait = \"20s\" } ]"),
          ])
        for line in ["alpha stopped", "deaf ready"] {
          try await master.log.expect(line, from: 0, within: .seconds(15))
        }
        let control: [Bytes] = ["--control", Bytes(self.path(session))]
        let start = try await session.procctl(["start"] + control + ["alpha"]).end()
        // Without a way to tell, it was ready before it was seen to end.
        #expect([.exited(0), .exited(1)].contains(start.ending))
        let stop = try await session.procctl(["stop"] + control + ["--timeout", "300ms", "deaf"]).end()
        #expect(stop.ending == .exited(124))
        #expect(stop.errors == "procctl: stop: deaf is still stopping after 300ms; the command goes on\n")
        let waiting = try session.procctl(["stop"] + control + ["deaf"])
        try await session.until("the call is waiting") { ProcTable.wait(of: waiting.pid) }
        master.process.send(SIGTERM)
        let refused = try await waiting.end()
        #expect(refused.ending == .exited(75))
        #expect(refused.errors.contains("the master is being stopped: SIGTERM"))
        master.process.send(SIGQUIT)
        #expect(try await master.process.end().ending == .exited(3))
      }
    }

    @Test("a monitor hears every change until the end")
    func monitor() async throws {
      try await withSession { session in
        let master = try MasterRun(
          session, preamble: self.preamble(session), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let client = try RawClient(path: self.path(session))
        #expect(try await client.call("dev.procctl.Master.Monitor").contains("ExpectedMore"))
        let first = try await client.call("dev.procctl.Master.Monitor", ",\"more\":true")
        #expect(first.contains("\"continues\":true") && first.contains("\"ready\":true"))
        let other = try RawClient(path: self.path(session))
        #expect(try await other.call("dev.procctl.Master.StopMaster") == "{\"parameters\":{}}")
        try await client.expect("\"state\":\"stopping\"")
        try await client.expect("\"state\":\"stopped\"")
        try await client.expect("stopped: clean")
        #expect(try await client.expectEnd())
        let result = try await master.process.end()
        #expect(result.ending == .exited(0))
        #expect(result.errors.contains("stopping: commanded by pid \(getpid())"))
      }
    }

    @Test("another user is refused, even where the socket's rights let him in", .needs(.root, rootReason))
    func wrongUser() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let master = try MasterRun(
          session, preamble: self.preamble(session), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let path = self.path(session)
        var information = stat()
        #expect(lstat(path, &information) == 0 && information.st_mode & 0o777 == 0o600)
        func status(as user: uid_t) async throws -> TestProcess.Result {
          var launch = Launch(
            Programs.workload, ["user", Bytes("\(user)"), "exec", "/usr/bin/python3", "-c"])
          launch.arguments += [
            "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
              + "s.send(b'{\"method\":\"dev.procctl.Master.StopMaster\"}\\0'); print(s.recv(4096))",
            Bytes(path),
          ]
          return try await session.start(launch).end()
        }
        #expect(try await status(as: 1).errors.contains("PermissionError"))
        try #require(chmod(path, 0o666) == 0)
        #expect(try await status(as: 1).outputText.contains("org.varlink.service.PermissionDenied"))
        #expect(ProcTable.process(master.pid) != nil)
        // The same by root does what it says.
        #expect(try await status(as: 0).outputText.contains("parameters"))
        #expect(try await master.process.end().ending == .exited(0))
      }
    }

    @Test(
      "what a killed master left is removed; what a living one has is not; the default place needs no key")
    func stale() async throws {
      try await withSession { session in
        let killed = try MasterRun(session, [TestWorker("alpha", ["hold"])])
        try await killed.allReady()
        let config = Bytes(session.path("procctl.toml"))
        #expect(try await self.procctl(session, "status", config).ending == .exited(0))
        killed.process.send(SIGKILL)
        _ = try await killed.process.end()
        #expect(try await self.procctl(session, "status", config).ending == .exited(69))
        let master = try MasterRun(session, [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        // Without a configuration: the only one that runs.
        let status = try await session.start(Launch(Programs.procctl, ["status"])).end()
        #expect(status.ending == .exited(0), "\(status.errors)")
        #expect(status.outputText.contains("(pid \(master.pid))"))
        let second = try MasterRun(session, [TestWorker("beta", ["hold"])])
        try await second.expect("no control socket: listen on")
        try await second.allReady()
        #expect(try await self.procctl(session, "status", config).outputText.contains("(pid \(master.pid))"))
        _ = try await second.stop()
        #expect(try await self.procctl(session, "status", config).ending == .exited(0))
        _ = try await master.stop()
      }
    }

    @Test("where several masters run, they are named with configuration and socket, and each of these works")
    func several() async throws {
      try await withSession { session in
        let worker = TestWorker("alpha", ["hold"], "contain = \"session\"")
        let first = try MasterRun(session, [worker])
        try await first.allReady()
        let file = try session.write(worker.table + "\n", to: "other.toml")
        let second = try session.procctl("run", Bytes(file))
        try await second.errors?.expect("all workers are ready")
        let masters = [(first.pid, session.path("procctl.toml")), (second.pid, file)]
        for (arguments, way) in [
          (["status"], "by its configuration, or by"),
          (["stop", "alpha"], "by its configuration with --config, or by"),
        ] {
          let result = try await session.procctl(arguments.map { Bytes($0) }).end()
          #expect(result.ending == .exited(64))
          #expect(result.errors.hasPrefix("procctl: \(arguments[0]): several masters run; name one \(way) "))
          for (pid, file) in masters {
            let line = try #require(
              result.errors.split(separator: "\n").first { $0.hasPrefix("  \(file) (pid \(pid)): /") },
              "\(result.errors)")
            let socket = Bytes(String(line.split(separator: " ")[3]))
            for choice in [["--control", socket], [Bytes(file)]] {
              let chosen = try await session.procctl([Bytes("status")] + choice).end()
              #expect(chosen.ending == .exited(0) && chosen.outputText.contains("(pid \(pid)): ready 1/1"))
            }
          }
        }
        #expect(
          try await self.procctl(session, "stop", "--config", Bytes(file), "alpha").ending == .exited(0))
        second.send(SIGTERM)
        #expect(try await second.end().ending == .exited(0))
        _ = try await first.stop()
      }
    }

    @Test("a place that was asked for and cannot be had is an error")
    func notToBeHad() async throws {
      try await withSession { session in
        _ = try session.write("precious", to: "control.socket")
        let master = try MasterRun(
          session, preamble: self.preamble(session), [TestWorker("alpha", ["hold"])])
        let result = try await master.process.end()
        #expect(result.ending == .exited(69))
        #expect(result.errors.contains("[master] control: ") && result.errors.contains("no socket"))
        #expect(ProcTable.text(self.path(session)) == "precious")
      }
    }

    @Test("while what the last run left is ended nobody is started, and whoever is stopped stays so")
    func beforeTheFirstStart() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let workers = ["alpha", "beta"].map { name in
          TestWorker(
            name, ["ignore", "TERM", "tell", Bytes(fifo.path), Bytes(name), "hold"], "contain = \"session\"",
            self.quick)
        }
        let first = try MasterRun(session, preamble: self.preamble(session), workers)
        let left = try await fifo.expect("alpha", "beta")
        first.process.send(SIGKILL)
        try await first.process.end()
        let second = try MasterRun(session, preamble: self.preamble(session), workers)
        try await second.expect("ending what the last run left")
        let client = try RawClient(path: self.path(session))
        func command(_ verb: String, _ worker: String) async throws -> String {
          try await client.call(
            "dev.procctl.Master.\(verb)", ",\"parameters\":{\"workers\":[\"\(worker)\"],\"wait\":false}")
        }
        #expect(try await command("Stop", "alpha").contains("\"state\":\"stopped\""))
        #expect(try await command("Restart", "beta").contains("\"state\":\"waiting\""))
        #expect(left.values.allSatisfy { ProcTable.process($0)?.isZombie == false })
        for pid in left.values { kill(pid, SIGKILL) }
        let beta = try await fifo.expect("beta")
        #expect(beta["beta"] != left["beta"])
        #expect(!second.said.contains("alpha starting"))
        let status = try await client.call("dev.procctl.Master.Status")
        #expect(status.contains("\"state\":\"stopped\""))
        _ = try await second.stop()
      }
    }
  }
}

extension ProcTable {
  /// Whether the process sleeps in poll(2): it has nothing to do but wait.
  static func wait(of pid: pid_t) -> Bool {
    (ProcTable.text("/proc/\(pid)/syscall") ?? "").hasPrefix("7 ")
      || (ProcTable.text("/proc/\(pid)/wchan") ?? "").contains("poll")
  }
}
