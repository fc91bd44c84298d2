import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// Processes that fork faster than one can count them.
  @Suite struct HostileBreeding {
    static let workloads: [HostileWorkload] = [
      HostileWorkload(
        name: "one that is never the same process for longer than 2 ms",
        actions: ["daemonize", "ignore", "TERM", "tell", "FIFO", "hidden", "hop", "2", "end"]),
      HostileWorkload(
        name: "eight that are never in the same session for longer than 2 ms",
        actions: [
          "daemonize", "ignore", "TERM", "many", "8", "session", "tell", "FIFO", "hidden", "hop-session", "2",
          "end", "exit", "0", "end",
        ], hidden: 8),
      HostileWorkload(
        name: "200 parents, each below the other",
        actions: [
          "daemonize", "ignore", "TERM", "deep", "200", "tell", "FIFO", "hidden", "end",
        ]),
      HostileWorkload(
        name: "500 children in sessions of their own",
        actions: [
          "ignore", "TERM", "many", "500", "session", "tell", "FIFO", "hidden", "end",
        ], hidden: 500),
    ]

    /// A fork storm at its limit of processes.
    private struct Storm {
      static let count = 1_000_000
      static let limit = 64
      var counter: String

      init(_ session: TestSession) {
        self.counter = session.path("born")
        chmod(session.directory, 0o777)
      }

      func actions(_ limit: ProcessLimit, _ fifo: Announcements) -> [Bytes] {
        limit.actions + [
          "ignore", "TERM", "child", "session", "tell", Bytes(fifo.path), "storm", "storm",
          Bytes(self.counter), "\(Self.count)", "end", "tell", Bytes(fifo.path), "leader",
        ]
      }

      /// How many processes have been born.
      var born: Int {
        let bytes = ProcTable.bytes(self.counter, limit: 4) ?? []
        return bytes.count < 4 ? 0 : bytes.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      }

      /// Waits until it rages.
      func rages(_ session: TestSession, _ fifo: Announcements) async throws {
        try await fifo.expect("storm", "leader")
        try await session.until("it has come to its limit") { self.born > 3 * Self.limit }
      }
    }

    @Test(
      "a fork storm at its limit of processes is ended while it rages",
      .needs(.root, "a limit of processes"), arguments: Keeper.possible)
    func storm(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let limit = try ProcessLimit(session, Storm.limit)
        let storm = Storm(session)
        let process = try keeper.start(
          session, storm.actions(limit, fifo), workload: try session.publicWorkload())
        try await storm.rages(session, fifo)
        let before = storm.born
        process.send(SIGTERM)
        let result = try await process.end(within: .seconds(20))
        let born = storm.born
        #expect(session.members().isEmpty)
        #expect(result.ending == keeper.ending(afterKilling: 128 + SIGKILL), "\(result.errors)")
        #expect(born > before, "it was still raging when it was asked to end")
        #expect(born < Storm.count, "and did not end by itself")
        try await limit.remove(session)
      }
    }

    @Test(
      "kill-group ends a fork storm somebody else started", .needs(.root, "a limit of processes"))
    func stormOfSomebody() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let limit = try ProcessLimit(session, Storm.limit)
        let storm = Storm(session)
        let target = try session.start(
          Launch(try session.publicWorkload(), storm.actions(limit, fifo)))
        try await storm.rages(session, fifo)
        let result = try await session.procctl(
          "kill-group", "--grace", Bytes(Keeper.grace), "\(target.pid)"
        ).end(within: .seconds(20))
        #expect(session.members().isEmpty)
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(storm.born < Storm.count)
        try await limit.remove(session)
      }
    }

    @Test(
      "control: signals to its group, KILL among them, do not end the storm",
      .needs(.root, "a limit of processes"))
    func controlStorm() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let limit = try ProcessLimit(session, Storm.limit)
        let storm = Storm(session)
        let process = try session.start(
          Launch(try session.publicWorkload(), storm.actions(limit, fifo)))
        try await storm.rages(session, fifo)
        kill(-process.pid, SIGTERM)
        kill(-process.pid, SIGKILL)
        try await process.end()
        let before = storm.born
        try await session.until("it rages on") { storm.born > before + Storm.limit }
        try await session.sweep()
        try await limit.remove(session)
      }
    }

    @Test(
      "twenty that leave a zombie at every moment do not keep it from what else it has to do",
      .needs(.root, "a limit of processes"),
      arguments: Keeper.verbs + [.spawn(.pidNamespace), .run(.pidNamespace)])
    func zombiesWithoutEnd(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        // Zombies count: whoever reaps makes room for the next.
        let limit = try ProcessLimit(session, 1000)
        let process = try keeper.start(
          session,
          limit.actions + [
            "daemonize", "ignore", "TERM", "many", "20", "tell", Bytes(fifo.path), "hidden", "hop-session",
            "0", "end", "exit", "0", "end", "exit-on", "TERM", "0", "tell", Bytes(fifo.path), "leader",
            // Beside them the leader needs its time to obey.
          ], grace: "2s", workload: try session.publicWorkload())
        _ = try await fifo.expect(20, of: "hidden")
        try await fifo.expect("leader")
        let stopwatch = Stopwatch()
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(stopwatch.elapsed < .seconds(15), "they would go on for 30 s")
        #expect(session.members().isEmpty)
        #expect(result.ending == keeper.ending(afterKilling: 0), "\(result.errors)")
        try await limit.remove(session)
      }
    }

    @Test("1500 orphans within moments leave no pile of zombies", arguments: Keeper.verbs)
    func orphans(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        let path = Bytes(fifo.path)
        let process = try keeper.start(
          session,
          [
            "tell", path, "leader", "await", Bytes(gate.path), "orphans", "1500", "tell", path, "made",
            "exit-on", "TERM", "0", "tell", path, "ready",
          ])
        let announced = try #require(try await fifo.expect("leader")["leader"])
        let leader = try session.outside(announced, keeper.containment)
        // Only who has come to procctl, or to its guard: the leader is not asked to reap well.
        let reaper = try #require(ProcTable.process(leader)).parent
        let census = Census { ProcTable.children(of: reaper).count { $0.isZombie && $0.pid != leader } }
        try gate.open()
        try await fifo.expect("made", "ready", within: .seconds(20))
        let (peak, looks) = try await census.end()
        #expect(looks > 3, "the observer was there")
        #expect(peak < 750, "of 1500, which are there all at once if nobody reaps")
        try await session.until("the last of them is reaped") {
          ProcTable.children(of: reaper).map(\.pid) == [leader]
        }
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("control: where nobody reaps, they pile up")
    func controlOrphans() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let process = try session.workload([
          "subreaper", "child", "orphans", "300", "tell", path, "made", "end",
        ])
        try await fifo.expect("made")
        try await session.until("they are all dead") {
          ProcTable.children(of: process.pid).count { $0.isZombie } == 300
        }
        process.send(SIGKILL)
        try await session.sweep()
      }
    }
  }
}

/// Counts again and again on a thread of its own, and remembers the most.
final class Census: @unchecked Sendable {
  private let ended: Int32
  private let result: Task<(peak: Int, looks: Int), any Error>

  init(_ count: @escaping @Sendable () -> Int) {
    let ended = eventfd(0, Int32(EFD_CLOEXEC))
    self.ended = ended
    self.result = Task {
      try await blocking {
        var (peak, looks) = (0, 0)
        var watch = pollfd(fd: ended, events: Int16(POLLIN), revents: 0)
        repeat {
          peak = max(peak, count())
          looks += 1
        } while poll(&watch, 1, 5) == 0
        return (peak, looks)
      }
    }
  }

  deinit { close(self.ended) }

  func end() async throws -> (peak: Int, looks: Int) {
    eventfd_write(self.ended, 1)
    return try await self.result.value
  }
}
