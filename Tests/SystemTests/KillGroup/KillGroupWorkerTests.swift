import Glibc
import Testing

extension SystemTests {
  /// `procctl kill-group`: workers of masters, living and dead.
  @Suite struct KillGroupWorkers {
    /// A leader, a child that left the session and is deaf, and a daemon that may have the port.
    private func worker(
      _ fifo: Announcements, port: UInt16? = nil, _ containment: Containment
    ) -> TestWorker {
      let path = Bytes(fifo.path)
      let listen: [Bytes] = port == nil ? [] : ["listen", "{port}"]
      return TestWorker(
        "alpha",
        ["child", "session", "ignore", "TERM", "tell", path, "escaped", "end", "daemonize"] + listen
          + ["ignore", "TERM", "tell", path, "daemon", "end", "tell", path, "leader"],
        port: port, containment.line,
        "stop = [ { signal = \"TERM\", wait = \"500ms\" }, { signal = \"KILL\" } ]",
        // The next start comes at once, before kill-group has looked again.
        "backoff = { first = \"1ms\", max = \"1ms\" }")
    }

    private func expectAll(_ fifo: Announcements) async throws -> Set<pid_t> {
      Set(try await fifo.expect("escaped", "daemon", "leader").values)
    }

    private func livingChildren(of master: MasterRun) -> Set<Int> { Set(master.children.map { Int($0.pid) }) }

    @Test(
      "@WORKER ends all of a worker; its master starts it again, and that start is left alone",
      arguments: Containment.sharingNumbers)
    func running(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(session, [self.worker(fifo, containment)])
        let first = try await self.expectAll(fifo)
        let result = try await session.procctl("kill-group", "--grace", "200ms", "--json", "@alpha").end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        let report = try json(result.outputText)
        let ended = Set((report["processes"] as? [[String: Any]] ?? []).compactMap { $0["pid"] as? Int })
        #expect(ended.isSuperset(of: first.map { Int($0) }))
        let second = try await self.expectAll(fifo)
        #expect(second.isDisjoint(with: first))
        #expect(ended.isDisjoint(with: second.map { Int($0) }), "the next start is not its business")
        #expect(session.living == second.union([master.pid]).union(master.children.map(\.pid)))
        try await master.expect("alpha stopping")
        #expect(try await master.stop().result.ending == .exited(3))
      }
    }

    @Test("again and again, as fast as it comes back")
    func repeated() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["child", "session", "hold", "end", "tell", path, "leader"], "contain = \"session\"",
              "backoff = { first = \"1ms\", max = \"1ms\" }")
          ])
        var pid = try #require(try await fifo.expect("leader")["leader"])
        for _ in 0..<5 {
          let stopwatch = Stopwatch()
          let result = try await session.procctl("kill-group", "--grace", "30s", "@alpha").end()
          #expect(result.ending == .exited(0), "\(result.errors)")
          #expect(stopwatch.elapsed < .seconds(10), "it does not wait for the next start to end")
          let next = try #require(try await fifo.expect("leader")["leader"])
          #expect(next != pid)
          #expect(ProcTable.process(next)?.isZombie == false)
          pid = next
        }
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("@WORKER of a dead master ends what is left of it", arguments: Containment.outlivingMaster)
    func leftovers(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session, [self.worker(fifo, containment), TestWorker("beta", ["hold"], containment.line)])
        let left = try await self.expectAll(fifo)
        try await master.allReady()
        master.process.send(SIGKILL)
        try await master.process.end()
        #expect(session.living.isSuperset(of: left))

        let listed = try await session.procctl("kill-group", "--dry-run", "--json", "@alpha").end()
        let reasons = Set(try jsonList(listed.outputText).compactMap { $0["reason"] as? String })
        #expect(
          reasons.contains("target") && reasons.contains(containment == .cgroup ? "cgroup" : "cookie"),
          "\(reasons)")
        #expect(session.living.isSuperset(of: left), "nobody is ended")

        let result = try await session.procctl("kill-group", "--grace", "200ms", "@alpha").end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(session.living.isDisjoint(with: left))
        #expect(session.members().count == 1, "beta stays")
        #expect(try await session.procctl("kill-group", "@alpha").end().ending == .exited(1))
        #expect(try await session.procctl("kill-group", "@beta").end().ending == .exited(0))
        // The next start finds nobody, and removes what the dead one kept.
        let next = try MasterRun(session, [TestWorker("gamma", ["hold"], "contain = \"session\"")])
        try await next.allReady()
        #expect(!next.said.contains("the last run (pid"))
        #expect(try await next.stop().result.ending == .exited(0))
        for entry in session.cgroup.map({ [$0.path] }) ?? [] {
          #expect(!ProcTable.names(entry).contains { $0.hasPrefix("procctl-") })
        }
      }
    }

    @Test("a leader of a dead master stands for its worker: orphans that carry its cookie go too")
    func leaderByPID() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["daemonize", "tell", path, "daemon", "end", "tell", path, "leader"],
              "contain = \"session\"")
          ])
        let said = try await fifo.expect("daemon", "leader")
        let leader = try #require(said["leader"])
        let daemon = try #require(said["daemon"])
        master.process.send(SIGKILL)
        try await master.process.end()
        // Control: as a tree alone, the daemon is not below it.
        let narrow = try await session.procctl("kill-group", "--dry-run", "--scope", "session", "\(leader)")
          .end()
        #expect(!narrow.outputText.contains("\(daemon)@"))
        let start = try #require(ProcTable.process(leader)).startTime
        let tree = try await session.procctl("kill-group", "--dry-run", "\(leader)@\(start)").end().outputText
        #expect(tree.contains("\(daemon)@") && tree.contains(": cookie"), "\(tree)")
        #expect(try await session.procctl("kill-group", "\(leader)").end().ending == .exited(0))
        #expect(session.members().isEmpty)
      }
    }

    @Test(
      "--port of a worker's process ends the worker, not just that process",
      arguments: Containment.sharingNumbers)
    func port(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [self.worker(fifo, port: port, containment), TestWorker("beta", ["hold"], containment.line)])
        let first = try await self.expectAll(fifo)
        let listed = try await session.procctl("kill-group", "--dry-run", "--json", "--port", "\(port)").end()
        let pids = Set(try jsonList(listed.outputText).compactMap { $0["pid"] as? Int })
        // A guard belongs to its worker.
        let guards = containment == .guardian ? self.livingChildren(of: master) : []
        #expect(pids.subtracting(guards) == Set(first.map { Int($0) }))
        let result = try await session.procctl("kill-group", "--grace", "200ms", "--port", "\(port)").end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        let second = try await self.expectAll(fifo)
        #expect(session.living.isDisjoint(with: first))
        #expect(session.living.isSuperset(of: second))
        #expect(try await master.stop().result.ending == .exited(3))
      }
    }

    @Test("one name under several masters is refused with 64 and the choices, each of which works")
    func ambiguous() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let worker = TestWorker(
          "alpha", ["tell", Bytes(fifo.path), "up"], "contain = \"session\"", "restart = \"never\"")
        let first = try MasterRun(session, [worker])
        let firstWorker = try #require(try await fifo.expect("up")["up"])
        let second = try MasterRun(session, [worker])
        let secondWorker = try #require(try await fifo.expect("up")["up"])
        for name in ["@alpha", "@procctl.toml/alpha"] {
          let refused = try await session.procctl("kill-group", Bytes(name)).end()
          #expect(refused.ending == .exited(64))
          for pid in [first.pid, second.pid] {
            #expect(refused.errors.contains("@\(pid)/alpha"), "\(refused.errors)")
          }
        }
        #expect(try await session.procctl("kill-group", "@\(first.pid)/beta").end().ending == .exited(1))
        #expect(try await session.procctl("kill-group", "@other.toml/alpha").end().ending == .exited(1))
        #expect(session.members().count == 4)

        #expect(try await session.procctl("kill-group", "@\(first.pid)/alpha").end().ending == .exited(0))
        #expect(session.living == [first.pid, second.pid, secondWorker], "\(firstWorker)")
        // It does not run any more, so the other one is meant.
        #expect(try await session.procctl("kill-group", "@procctl.toml/alpha").end().ending == .exited(0))
        #expect(session.living == [first.pid, second.pid])
        let stopped = try await session.procctl("kill-group", "@alpha").end()
        #expect(stopped.ending == .exited(1) && stopped.errors.contains("does not run"), "\(stopped.errors)")
        _ = try await first.stop()
        _ = try await second.stop()
      }
    }
  }
}
