import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: workers come, stay, and go.
  @Suite struct MasterLifecycle {
    @Test("workers are brought up, and a TERM ends them in order", arguments: Containment.possible)
    func upAndDown(_ containment: Containment) async throws {
      try await withSession { session in
        let ports = try (0..<3).map { _ in try session.freePort() }
        let master = try MasterRun(
          session,
          ports.enumerated().map { index, port in
            TestWorker("w\(index)", ["http", "{port}"], port: port, ready: "http:/health", containment.line)
          })
        try await master.allReady()
        for port in ports { #expect(ProcTable.listeners()[port] != nil) }
        #expect(master.children.count == 3)
        let cgroups = master.children.compactMap { ProcTable.text("/proc/\($0.pid)/cgroup") }
        #expect(cgroups.allSatisfy { $0.contains("procctl-\(master.pid)") == (containment == .cgroup) })
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(took < .seconds(8), "the request alone would have 10 s")
        #expect(result.errors.contains("stopped: clean"))
        #expect(result.output.isEmpty)
        #expect(session.members().isEmpty, "at the moment it returns")
        #expect(session.listeningPorts().isEmpty)
      }
    }

    @Test("an INT ends them just as well")
    func interrupt() async throws {
      try await withSession { session in
        let master = try MasterRun(session, [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        master.process.send(SIGINT)
        #expect(try await master.process.end().ending == .exited(0))
      }
    }

    @Test("a worker shot by KILL is restarted on its port", arguments: Containment.possible)
    func restart(_ containment: Containment) async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [TestWorker("alpha", ["http", "{port}"], port: port, ready: "http:/health", containment.line)])
        try await master.allReady()
        for _ in 0..<3 {
          let old = try #require(master.children.first)
          kill(old.pid, SIGKILL)
          try await master.expect("alpha ready")
          let new = master.children
          #expect(new.count == 1 && new[0].pid != old.pid && !new[0].isZombie)
        }
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    /// The leader, and a daemon that ignores TERM and has the port.
    private func portHoldingDaemon(_ fifo: Announcements, _ port: String) -> [Bytes] {
      [
        "daemonize", "ignore", "TERM", "listen", Bytes(port), "tell", Bytes(fifo.path), "daemon", "end",
        "tell",
        Bytes(fifo.path), "leader",
      ]
    }

    @Test(
      "what a crashed worker left is gone before the next one starts, and the next has the port",
      arguments: Containment.sharingNumbers)
    func crashWithLeftovers(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", self.portHoldingDaemon(fifo, "{port}"), port: port, ready: "tcp", containment.line)
          ])
        let first = try await fifo.expect("daemon", "leader")
        try await master.allReady()
        let listening = try #require(ProcTable.listeners()[port])
        let stopwatch = Stopwatch()
        kill(try #require(first["leader"]), SIGKILL)
        let second = try await fifo.expect("daemon", "leader")
        // Leftovers have five seconds; a worker that is told to stop has fifteen after TERM.
        #expect(stopwatch.elapsed < .seconds(12))
        #expect(ProcTable.process(try #require(first["daemon"]))?.isZombie != false)
        try await master.expect("alpha ready")
        let relistening = try #require(ProcTable.listeners()[port])
        #expect(relistening.isDisjoint(with: listening))
        let guards = containment == .guardian ? master.children.map(\.pid) : []
        #expect(Set(session.members().map(\.pid)) == Set([master.pid] + second.values + guards))
        #expect(!master.children.contains { $0.isZombie })
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(3), "the daemon needed KILL")
        #expect(took < .seconds(12))
      }
    }

    @Test("control: started by hand, the second one cannot have the port while the first one's daemon lives")
    func controlLeftovers() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let first = try session.workload(self.portHoldingDaemon(fifo, "\(port)"))
        try await fifo.expect("daemon", "leader")
        first.send(SIGKILL)
        _ = try await first.end()
        let second = try await session.workload(["listen", "\(port)"]).end()
        #expect(second.ending == .exited(99))
        #expect(second.errors.contains("Address already in use"))
        try await session.sweep()
      }
    }

    @Test("restart = \"never\" and \"on-failure\" keep to it")
    func restartPolicy() async throws {
      try await withSession { session in
        let gate = try session.announcements("gate")
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker("once", ["exit", "1"], "restart = \"never\""),
            TestWorker("fine", ["exit", "0"], "restart = \"on-failure\""),
            TestWorker(
              "again", ["tell", Bytes(fifo.path), "again", "await", Bytes(gate.path), "exit", "1"],
              "restart = \"on-failure\""),
          ])
        try await fifo.expect("again")
        try await session.until("only one is left") { master.children.count == 1 }
        try gate.open()
        try await fifo.expect("again")
        let log = master.said
        #expect(log.components(of: "once starting") == 1)
        #expect(log.components(of: "fine starting") == 1)
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("a worker that crashes at once is restarted ever more slowly")
    func backoff() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", Bytes(fifo.path), "up", "exit", "1"],
              "backoff = { first = \"100ms\", max = \"400ms\" }")
          ])
        let stopwatch = Stopwatch()
        // At once, then after 100, 200, 400, 400 ms, each up to a tenth less.
        _ = try await fifo.expect(6, of: "up", within: .seconds(20))
        #expect(stopwatch.elapsed >= .milliseconds(990))
        try await master.expect("alpha backoff")
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("a worker's environment, directory and limits are the configured ones")
    func surroundings() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["ignore", "USR1", "tell", Bytes(fifo.path), "up"], port: port,
              "directory = \"\(session.directory)\"", "environment = { GIVEN = \"{name}-{port}\" }",
              "limits = { nofile = \"77:88\" }", "umask = \"027\"")
          ])
        let pid = try #require(try await fifo.expect("up")["up"])
        #expect(ProcTable.environment(of: pid, holds: "GIVEN=alpha-\(port)"))
        #expect(ProcTable.link("/proc/\(pid)/cwd") == session.directory)
        #expect(ProcTable.link("/proc/\(master.pid)/cwd") == "/", "the master itself holds no directory")
        #expect(ProcTable.link("/proc/\(pid)/fd/0") == "/dev/null")
        #expect(ProcTable.status(pid, "Umask") == "0027")
        #expect((ProcTable.text("/proc/\(pid)/limits") ?? "").contains("77                   88"))
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("log-directory takes each worker's output, appended over its restarts")
    func logs() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        var worker = TestWorker("alpha", [])
        worker.command = [
          "/bin/sh", "-c", "echo line; echo error >&2; exec \(Programs.workload) tell \(fifo.path) up hold",
        ]
        let master = try MasterRun(
          session, preamble: "[master]\nlog-directory = \"\(session.directory)\"", [worker])
        let pid = try #require(try await fifo.expect("up")["up"])
        kill(pid, SIGKILL)
        try await fifo.expect("up")
        #expect(ProcTable.text(session.path("alpha.log")) == "line\nerror\nline\nerror\n")
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }
  }
}

extension String {
  /// How often the other text is in it.
  func components(of other: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.firstRange(of: other) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
