import Glibc
import Testing

extension SystemTests {
  /// `[master] user`: a master that was started as root and gives that up.
  @Suite struct MasterUser {
    private static let rootReason = "only root has rights to give up"
    private static let user = "[master]\nuser = \"daemon\""

    /// Bits of capabilities(7).
    private static let kill: UInt64 = 1 << 5
    private static let setGroup: UInt64 = 1 << 6
    private static let setUser: UInt64 = 1 << 7
    private static let setCapabilities: UInt64 = 1 << 8
    private static let bind: UInt64 = 1 << 10
    private static let look: UInt64 = 1 << 19 | 1 << 2

    private func open(_ session: TestSession) throws {
      try #require(chmod(session.directory, 0o777) == 0)
    }

    /// A program that anybody can run, in a worker.
    private func worker(
      _ session: TestSession, _ name: String, _ actions: [Bytes], port: UInt16? = nil,
      ready: String? = "none", _ lines: String...
    ) throws -> TestWorker {
      var worker = TestWorker(name, actions, port: port, ready: ready)
      worker.command[0] = session.path("test-workload")
      worker.lines = lines
      return worker
    }

    private func status(_ pid: pid_t) -> InsideView {
      InsideView(ProcTable.text("/proc/\(pid)/status") ?? "")
    }

    @Test(
      "it keeps CAP_KILL alone, and its workers have nothing", .needs(.root, Self.rootReason))
    func plain() async throws {
      try await withSession { session in
        try self.open(session)
        _ = try session.publicWorkload()
        let fifo = try session.announcements()
        let master = try MasterRun(
          session, preamble: Self.user,
          [try self.worker(session, "alpha", ["tell", Bytes(fifo.path), "alpha"])])
        try await master.allReady()
        let pid = try #require(try await fifo.expect("alpha")["alpha"])
        let own = self.status(master.pid)
        #expect(own["Uid"] == "1 1 1 1")
        #expect(own["Gid"] == "1 1 1 1")
        #expect(own["Groups"] == "1")
        #expect(own["NoNewPrivs"] == "0")
        #expect(own.capabilities["CapPrm"] == Self.kill)
        #expect(own.capabilities["CapEff"] == Self.kill)
        #expect(own.capabilities["CapInh"] == 0)
        #expect(own.capabilities["CapAmb"] == 0)
        let inside = self.status(pid)
        #expect(inside["Uid"] == "1 1 1 1")
        #expect(inside["Groups"] == "1")
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] { #expect(inside.capabilities[name] == 0) }
        #expect(master.said.contains("runs as user 1, group 1, with kill"))
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("without the key it stays what it was", .needs(.root, Self.rootReason))
    func control() async throws {
      try await withSession { session in
        let ours = try await session.ownView()
        let master = try MasterRun(session, [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let own = self.status(master.pid)
        #expect(own["Uid"] == "0 0 0 0")
        #expect(own.capabilities == ours.capabilities)
        let worker = try #require(master.children.first)
        #expect(self.status(worker.pid).capabilities == ours.capabilities)
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test(
      "workers of three users, their readiness, orphans and end", .needs(.root, Self.rootReason))
    func severalUsers() async throws {
      try await withSession { session in
        try self.open(session)
        _ = try session.publicWorkload()
        let fifo = try session.announcements()
        let told: (Bytes) -> [Bytes] = { ["tell", Bytes(fifo.path), $0] }
        let port = try session.freePort()
        let master = try MasterRun(
          session, preamble: Self.user,
          [
            try self.worker(session, "own", told("own") + ["hold"]),
            // Deaf, with a daemon that is as deaf: only KILL, and only by CAP_KILL.
            try self.worker(
              session, "nobody",
              ["ignore", "TERM", "ignore", "INT", "daemonize"] + told("daemon") + ["hold", "end"]
                + told("nobody") + ["hold"], ready: "none", "user = \"nobody\"",
              "stop = [{ signal = \"TERM\", wait = \"200ms\" }]"),
            try self.worker(
              session, "web", told("web") + ["http", "\(port)"], port: port, ready: "http:/health",
              "user = 4711", "group = 4711", "capabilities = [\"net_bind_service\"]"),
            try self.worker(
              session, "notifier", told("notifier") + ["notify", "READY=1"], ready: "notify",
              "user = \"nobody\""),
          ])
        let pids = try await fifo.expect("own", "nobody", "daemon", "web", "notifier")
        try await master.allReady()
        let own = self.status(master.pid)
        let kept =
          Self.kill | Self.setGroup | Self.setUser | Self.setCapabilities | Self.bind | Self.look
        #expect(own["Uid"] == "1 1 1 1")
        #expect(own.capabilities["CapEff"] == kept)
        #expect(own.capabilities["CapPrm"] == kept)
        #expect(own.capabilities["CapInh"] == 0)
        #expect(own.capabilities["CapAmb"] == 0)
        // Its files in /proc are still its own, after children that changed their user.
        var owner = stat()
        #expect(stat("/proc/\(master.pid)/environ", &owner) == 0)
        #expect(owner.st_uid == 1)

        for (name, user, capabilities) in [
          ("own", 1, 0), ("nobody", 65534, 0), ("daemon", 65534, 0), ("notifier", 65534, 0),
          ("web", 4711, Self.bind),
        ] as [(String, Int, UInt64)] {
          let inside = self.status(try #require(pids[name]))
          #expect(inside["Uid"] == "\(user) \(user) \(user) \(user)", "\(name)")
          for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            #expect(inside.capabilities[set] == capabilities, "\(name) \(set)")
          }
          #expect(!(inside["Groups"] ?? "").split(separator: " ").contains("0"), "\(name)")
        }
        #expect(self.status(try #require(pids["web"])).capabilities["CapBnd"] == Self.bind)

        let (result, _) = try await master.stop()
        #expect(result.ending == .exited(3), "one was deaf: \(result.errors)")
        #expect(result.errors.contains("stopped: nobody needed KILL"), "and its daemon was known as its")
        #expect(session.members().isEmpty)
      }
    }

    @Test(
      "a worker of another user that dies starts again", .needs(.root, Self.rootReason))
    func restart() async throws {
      try await withSession { session in
        try self.open(session)
        _ = try session.publicWorkload()
        let fifo = try session.announcements()
        let logs = session.path("logs")
        try #require(mkdir(logs, 0o755) == 0 && chown(logs, 1, 1) == 0)
        let master = try MasterRun(
          session, preamble: Self.user + "\nlog-directory = \"\(logs)\"",
          [
            try self.worker(
              session, "alpha", ["tell", Bytes(fifo.path), "alpha"], ready: "none", "user = \"nobody\"",
              "oom-score = 100", "limits = { nofile = 64 }")
          ])
        var pid = try #require(try await fifo.expect("alpha")["alpha"])
        for _ in 0..<2 {
          Glibc.kill(pid, SIGKILL)
          let next = try #require(try await fifo.expect("alpha")["alpha"])
          #expect(next != pid)
          pid = next
          #expect(ProcTable.text("/proc/\(pid)/oom_score_adj") == "100\n")
        }
        #expect(access("\(logs)/alpha.log", F_OK) == 0)
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test(
      "cgroups are root's: auto goes without and says why, and asking for one is refused",
      .needs(.root, Self.rootReason), .needs(.cgroup, "else there is none to lose"))
    func cgroups() async throws {
      try await withSession { session in
        try self.open(session)
        _ = try session.publicWorkload()
        let fifo = try session.announcements()
        let automatic = try MasterRun(
          session, preamble: Self.user,
          [try self.worker(session, "alpha", ["tell", Bytes(fifo.path), "alpha"])])
        try await automatic.allReady()
        try await fifo.expect("alpha")
        #expect(automatic.said.contains("no-cgroups"))
        #expect(automatic.said.contains("Permission denied"))
        #expect(try await automatic.stop().result.ending == .exited(0))

        let asked = try MasterRun(
          session, preamble: Self.user,
          [
            try self.worker(
              session, "alpha", ["tell", Bytes(fifo.path), "alpha"], ready: "none", "contain = \"cgroup\"")
          ])
        let refused = try await asked.process.end()
        #expect(refused.ending == .exited(77))
        #expect(refused.errors.contains("contain alpha in a cgroup"), "\(refused.errors)")
        #expect(fifo.rest().isEmpty)

        let root = try MasterRun(
          session,
          [
            try self.worker(
              session, "alpha", ["tell", Bytes(fifo.path), "alpha"], ready: "none", "contain = \"cgroup\"")
          ])
        try await root.allReady()
        #expect(try await root.stop().result.ending == .exited(0), "root may")
      }
    }

    @Test(
      "what cannot be is said in one line before anything starts", .needs(.root, Self.rootReason))
    func refusals() async throws {
      try await withSession { session in
        try self.open(session)
        _ = try session.publicWorkload()
        let fifo = try session.announcements()
        let logs = session.path("logs")
        try #require(mkdir(logs, 0o755) == 0)
        let alpha = try self.worker(session, "alpha", ["tell", Bytes(fifo.path), "alpha"])
        for (preamble, status, text) in [
          ("[master]\nuser = \"no-such-user-here\"", 69, "there is no user \"no-such-user-here\""),
          ("[master]\nuser = \"root\"", 69, "root gives up nothing"),
          (Self.user + "\ngroup = \"no-such-group-here\"", 69, "there is no group"),
          (Self.user + "\nlog-directory = \"\(logs)\"", 77, "cannot write the log \(logs)/alpha.log"),
          ("[master]\ngroup = \"daemon\"", 78, "\"group\" of [master] needs \"user\""),
        ] as [(String, Int32, String)] {
          let master = try MasterRun(session, preamble: preamble, [alpha])
          let result = try await master.process.end()
          #expect(result.ending == .exited(status), "\(preamble): \(result.errors)")
          #expect(result.errors.contains(text), "\(result.errors)")
          #expect(fifo.rest().isEmpty)
        }
      }
    }

    @Test(
      "who is not root cannot become another user, and can stay who he is", .needs(.root, Self.rootReason))
    func notRoot() async throws {
      try await withSession { session in
        try self.open(session)
        _ = try session.publicWorkload()
        let fifo = try session.announcements()
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try session.publicCopy(of: Programs.procctl)
        let alpha = try self.worker(session, "alpha", ["tell", Bytes(fifo.path), "alpha"])
        let file = try session.write(Self.user + "\n\n" + alpha.table + "\n", to: "procctl.toml")
        let run: [Bytes] = [Bytes(program), "run", Bytes(file)]
        let nobody = try await session.start(
          Launch(setpriv, ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"] + run)
        ).end()
        #expect(nobody.ending == .exited(77))
        #expect(nobody.errors.contains("[master] user"), "\(nobody.errors)")
        #expect(nobody.errors.split(separator: "\n").count == 1)
        #expect(fifo.rest().isEmpty)
        // As systemd starts it with User=daemon and AmbientCapabilities=CAP_KILL.
        let daemon = try session.start(
          Launch(
            setpriv,
            [
              "--reuid=1", "--regid=1", "--clear-groups", "--inh-caps=-all,+kill",
              "--ambient-caps=-all,+kill",
            ] + run))
        let pid = try #require(try await fifo.expect("alpha")["alpha"])
        #expect(self.status(daemon.pid).capabilities["CapEff"] == Self.kill)
        #expect(self.status(daemon.pid).capabilities["CapAmb"] == 0)
        #expect(self.status(pid).capabilities["CapEff"] == 0)
        daemon.send(SIGTERM)
        #expect(try await daemon.end().ending == .exited(0))
      }
    }
  }
}
