import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: a stop, or an end, leaves nobody.
  @Suite struct MasterStopEmpty {
    private let signalled = "stop = [ { signal = \"TERM\", wait = \"1s\" }, { signal = \"KILL\" } ]"

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
  }
}
