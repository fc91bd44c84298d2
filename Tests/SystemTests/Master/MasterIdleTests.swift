import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: what a master costs that has nothing to do.
  @Suite struct MasterIdle {
    private func servers(_ session: TestSession, program: String = Programs.procctl) async throws -> MasterRun
    {
      let master = try MasterRun(
        session,
        try (0..<10).map {
          TestWorker("w\($0)", ["http", "{port}"], port: try session.freePort(), ready: "http:/health")
        }, program: program)
      try await master.allReady()
      return master
    }

    /// What was put off because of the start (the last status for systemd, giving back memory) is over by then.
    private func settle(_ master: MasterRun) async throws {
      #expect(try await readable([master.log.descriptor], by: Deadline(in: .seconds(2))) == false)
    }

    @Test("one thread, and no wake-up in 20 seconds")
    func quiet() async throws {
      try await withSession { session in
        let master = try await self.servers(session)
        try await self.settle(master)
        // What was written because of the start was written by another.
        try await session.until("it has one thread") { ProcTable.process(master.pid)?.threads == 1 }
        let before = ProcTable.status(master.pid, "voluntary_ctxt_switches")
        #expect(try await readable([master.log.descriptor], by: Deadline(in: .seconds(20))) == false)
        #expect(ProcTable.status(master.pid, "voluntary_ctxt_switches") == before)
        #expect(before != nil)
        #expect(ProcTable.process(master.pid)?.threads == 1)
        // The counter does count: a signal that is ignored wakes the master.
        master.process.send(SIGUSR2)
        try await session.until("the wake-up is counted") {
          ProcTable.status(master.pid, "voluntary_ctxt_switches") != before
        }
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("less than 10 MB of memory, as it ships", .needs(.shippedProgram, "a debug build is larger"))
    func memory() async throws {
      try await withSession { session in
        let master = try await self.servers(session, program: try #require(Programs.shipped))
        // What the start took is given back a moment later.
        try await session.until("it has less") {
          let kilobytes = try #require(ProcTable.status(master.pid, "VmRSS")?.split(separator: " ").first)
          return try #require(Int(kilobytes)) < 10_000
        }
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }
  }
}
