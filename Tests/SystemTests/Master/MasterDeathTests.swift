import Glibc
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

    private func cgroups(_ session: TestSession) -> [String] {
      session.cgroup.map { ProcTable.names($0.path).filter { $0.hasPrefix("procctl-") } } ?? []
    }

    @Test(
      "the next start ends what the last one left, gets the port, and leaves nothing",
      arguments: Containment.outlivingMaster)
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
        #expect(session.ledgers().count == 1)
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
        #expect(!said.contains("what belonged to no worker"), "they are found once")
        #expect(Set(session.members().map(\.pid)) == Set(own.values).union([second.pid]))
        #expect(session.ledgers().count == 1, "its own")

        #expect(try await second.stop().result.ending == .exited(3))
        #expect(session.ledgers().isEmpty)
        #expect(self.cgroups(session).isEmpty)
      }
    }

    @Test("control: without the ledger they stay, and hold the port", arguments: Containment.outlivingMaster)
    func withoutLedger(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let worker = self.misbehaving(fifo, port: port, containment)
        let first = try MasterRun(session, [worker])
        try await first.allReady()
        _ = try await self.expectAll(fifo)
        try await self.kill(first)
        let ledger = try #require(session.ledgers().first)
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
        #expect(session.ledgers().isEmpty)
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
        #expect(took < .seconds(15), "it does not wait for them")
        #expect(!result.errors.contains("alpha starting"))
        #expect(ProcTable.process(left)?.isZombie == false)
        #expect(session.ledgers().count == 1)
        let third = try MasterRun(session, [worker])
        try await third.expect(
          "alpha: the last run (pid \(first.pid)) left pid \(left) (test-workload): ended by SIGKILL")
        third.process.send(SIGQUIT)
        try await third.process.end()
      }
    }

    @Test("two masters of one configuration live side by side; the death of one is not the other's")
    func twoMasters() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let worker = TestWorker("alpha", ["tell", Bytes(fifo.path), "up"], "contain = \"session\"")
        let first = try MasterRun(session, [worker])
        let firstWorker = try #require(try await fifo.expect("up")["up"])
        let second = try MasterRun(session, [worker])
        let secondWorker = try #require(try await fifo.expect("up")["up"])
        #expect(session.ledgers().count == 2)
        #expect(!second.said.contains("the last run"))
        try await self.kill(first)
        let third = try MasterRun(session, [worker])
        try await third.expect("left pid \(firstWorker) (test-workload): ended by SIGTERM")
        try await fifo.expect("up")
        #expect(ProcTable.process(secondWorker)?.isZombie == false)
        #expect(try await third.stop().result.ending == .exited(0))
        #expect(try await second.stop().result.ending == .exited(0))
        #expect(session.ledgers().isEmpty)
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
        #expect(session.ledgers().count == 1)
        let second = try master()
        try await second.expect("the last run (pid \(first.pid)) left pid \(left) (test-workload): survived")
        try await fifo.expect("up")
        #expect(
          session.ledgers().count == 2, "its own, and that of the first, whose survivor still lives")
        second.process.send(SIGKILL)
        try await second.process.end()
        try await session.sweep()
      }
    }
  }
}

extension TestSession {
  /// The ledgers of masters that live, or have left one.
  func ledgers() -> [String] {
    ProcTable.names(self.path("procctl/masters")).filter { $0.hasSuffix(".ledger") }
  }
}
