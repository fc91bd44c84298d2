import Glibc
import Testing

extension SystemTests {
  /// `procctl kill-group @WORKER` where the ledger is not there.
  @Suite struct KillGroupLedgers {
    /// A name that no other master's history on this machine has.
    private func name(_ session: TestSession) -> String { "w\(session.identifier)" }

    private func removeLedgers(_ session: TestSession) throws {
      let directory = session.path("procctl/masters")
      let ledgers = ProcTable.names(directory).filter { $0.hasSuffix(".ledger") }
      try #require(!ledgers.isEmpty)
      for ledger in ledgers { try #require(unlink("\(directory)/\(ledger)") == 0) }
    }

    private func killGroup(_ session: TestSession, _ arguments: String...) async throws -> TestProcess.Result
    {
      try await session.procctl([Bytes("kill-group")] + arguments.map { Bytes($0) }).end()
    }

    @Test("a master that runs without its ledger is named, and its worker not called gone")
    func living() async throws {
      try await withSession { session in
        let name = self.name(session)
        let master = try MasterRun(session, [TestWorker(name, ["hold"], "contain = \"session\"")])
        try await master.allReady()
        let worker = try #require(master.children.first)
        // Control: with its ledger it is found.
        #expect(try await self.killGroup(session, "--dry-run", "@\(name)").ending == .exited(0))
        try self.removeLedgers(session)
        for target in ["@\(name)", "@\(master.pid)/\(name)", "@procctl.toml/\(name)"] {
          let unknown = try await self.killGroup(session, target)
          #expect(unknown.ending == .exited(125), "\(target): \(unknown.errors)")
          #expect(unknown.errors.contains("(pid \(master.pid)) has a worker \(name), but "))
          #expect(unknown.errors.contains("its first process is \(worker.pid)"))
        }
        let other = try await self.killGroup(session, "@\(name)x")
        #expect(other.ending == .exited(1) && other.errors.contains("no master that we can find"))
        #expect(master.children == [worker], "nobody was ended")
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("of a master that has ended in order nothing is left; of one that was killed that is not known")
    func past() async throws {
      try await withSession { session in
        let name = self.name(session)
        let worker = TestWorker(name, ["hold"], "contain = \"session\"")
        let first = try MasterRun(session, [worker])
        try await first.allReady()
        #expect(try await first.stop().result.ending == .exited(0))
        let gone = try await self.killGroup(session, "@\(name)")
        #expect(gone.ending == .exited(1) && gone.errors.contains("has ended"), "\(gone.errors)")

        let second = try MasterRun(session, [worker])
        try await second.allReady()
        let left = try #require(second.children.first)
        let history = try #require(
          ProcTable.names(session.path("state/procctl")).first { $0.hasSuffix(".history") })
        // It is written a moment after what it tells of.
        try await session.until("the second master's start is in the history") {
          (ProcTable.text(session.path("state/procctl/\(history)")) ?? "").contains("\"pid\":\(second.pid),")
        }
        second.process.send(SIGKILL)
        try await second.process.end()
        #expect(try await self.killGroup(session, "--dry-run", "@\(name)").ending == .exited(0))
        try self.removeLedgers(session)
        let unknown = try await self.killGroup(session, "@\(name)")
        #expect(unknown.ending == .exited(125), "\(unknown.errors)")
        #expect(unknown.errors.contains("did not end in order"))
        #expect(ProcTable.process(left.pid) == left)
        kill(left.pid, SIGKILL)
        try await session.untilEnd(of: left.pid)
      }
    }

    @Test("a ledger that goes while its worker is being ended leaves open whose the marks are: 125, no KILL")
    func meanwhile() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha",
              ["child", "ignore", "TERM", "tell", path, "deaf", "end", "tell", path, "leader"],
              "contain = \"session\"",
              "stop = [ { signal = \"TERM\", wait = \"20s\" }, { signal = \"KILL\" } ]")
          ])
        let said = try await fifo.expect("deaf", "leader")
        let deaf = try #require(said["deaf"])
        // What it leaves of its worker would be ended by the master as well.
        master.process.send(SIGSTOP)
        let stop = try session.procctl("kill-group", "--grace", "5s", "@alpha")
        try await session.untilEnd(of: try #require(said["leader"]))
        try self.removeLedgers(session)
        let result = try await stop.end()
        #expect(result.ending == .exited(125), "\(result.errors)")
        #expect(
          result.errors.contains("(pid \(master.pid)) runs, and its ledger is gone"), "\(result.errors)")
        #expect(ProcTable.process(deaf)?.isZombie == false, "it may be one of the next start")
        master.process.send(SIGCONT)
        master.process.send(SIGQUIT)
        #expect(try await master.process.end().ending == .exited(3))
      }
    }
  }
}
