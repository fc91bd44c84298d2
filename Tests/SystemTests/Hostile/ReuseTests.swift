import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// A number that has belonged to somebody else: whoever has it now is innocent, and lives.
  @Suite(.needs(.root, "to choose the pid of a process (clone3(2), set_tid)")) struct HostileReuse {
    /// A process that makes others with chosen pids, one after another.
    private struct Maker {
      var process: TestProcess
      var fifo: Announcements
      var gate: Announcements

      /// - Parameters:
      ///   - first: What the first one does, before it says `first` and waits.
      ///   - second: What the one with the first one's number does, before it says `innocent`.
      init(_ session: TestSession, _ pid: pid_t, first: [Bytes], second: [Bytes]) throws {
        self.fifo = try session.announcements("maker")
        self.gate = try session.announcements("gate")
        let (fifo, gate) = (Bytes(self.fifo.path), Bytes(self.gate.path))
        self.process = try session.workload(
          ["fork-as", "\(pid)"] + first + ["tell", fifo, "first", "end", "reap", "await", gate]
            + ["fork-as", "\(pid)"] + second + ["tell", fifo, "innocent", "end"])
      }

      /// The first one is gone and reaped; now the second gets its number.
      func reuse(_ session: TestSession, _ old: ObservedProcess) async throws -> ObservedProcess {
        try await session.until("the first one is gone") { ProcTable.process(old.pid) == nil }
        try await self.laterThan(session, old)
        try self.gate.open()
        let pid = try #require(try await self.fifo.expect("innocent")["innocent"])
        #expect(pid == old.pid)
        return try #require(ProcTable.process(pid))
      }

      /// Start times are counted in hundredths of a second, and two of them must differ.
      private func laterThan(_ session: TestSession, _ old: ObservedProcess) async throws {
        let perSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
        try await session.until("the clock has moved on") {
          cprocctl_monotonic_nanoseconds() / (1_000_000_000 / perSecond) > Int64(old.startTime) + 1
        }
      }
    }

    /// A number that nobody has and that is not soon given out again.
    private func freeNumber() throws -> pid_t {
      let limit = pid_t((ProcTable.text("/proc/sys/kernel/pid_max") ?? "").split(separator: "\n")[0]) ?? 32768
      let newest = pid_t(
        (ProcTable.text("/proc/loadavg") ?? "").split(whereSeparator: { $0 == " " || $0 == "\n" }).last ?? "0"
      )
      // Halfway round from the newest.
      var number = ((newest ?? 0) + limit / 2) % limit
      while number < 1000 || kill(number, 0) == 0 || errno != ESRCH { number = (number + 1) % limit }
      return number
    }

    @Test("PID@STARTTIME of one that is gone does not end the one that has its number")
    func startTime() async throws {
      try await withSession { session in
        let number = try self.freeNumber()
        let maker = try Maker(session, number, first: [], second: ["session"])
        try await maker.fifo.expect("first")
        let first = try #require(ProcTable.process(number))
        kill(number, SIGKILL)
        let innocent = try await maker.reuse(session, first)
        #expect(innocent.startTime != first.startTime)
        let result = try await session.procctl(
          "kill-group", "--grace", "100ms", "\(number)@\(first.startTime)"
        ).end()
        #expect(result.ending == .exited(1))
        #expect(result.errors.contains("is gone"))
        #expect(ProcTable.process(number) == innocent && !innocent.isZombie)
        // Control: that it could have been ended.
        let right = try await session.procctl("kill-group", "\(number)@\(innocent.startTime)").end()
        #expect(right.ending == .exited(0))
        #expect(!session.members().contains(innocent))
        try await session.sweep()
      }
    }

    @Test("a number reused while kill-group waits out the grace is not signalled, nor is its session")
    func whileStopping() async throws {
      try await withSession { session in
        let number = try self.freeNumber()
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        // The target leads a session and goes on TERM; its deaf child, in another one, stays until KILL.
        let maker = try Maker(
          session, number,
          first: ["session", "child", "session", "ignore", "TERM", "tell", path, "deaf", "end"],
          // The innocent leads a session of that number, with a child in it.
          second: ["session", "child", "tell", path, "follower", "end"])
        try await maker.fifo.expect("first")
        let deaf = try #require(try await fifo.expect("deaf")["deaf"])
        let first = try #require(ProcTable.process(number))
        let stop = try session.procctl("kill-group", "--grace", "2s", "\(number)")
        let innocent = try await maker.reuse(session, first)
        let follower = try #require(try await fifo.expect("follower")["follower"])
        #expect(innocent.session == number)
        #expect(ProcTable.process(deaf) != nil, "the stop is not over")
        #expect(try await stop.end().ending == .exited(0))
        #expect(ProcTable.process(deaf)?.isZombie != false)
        let left = Set(session.members().map(\.pid))
        #expect(left == [maker.process.pid, number, follower])
        try await session.sweep()
      }
    }

    @Test("one with the number of a member that is gone is not the keeper's", arguments: Keeper.verbs)
    func whileKept(_ keeper: Keeper) async throws {
      try await withSession { session in
        let number = try self.freeNumber()
        let fifo = try session.announcements()
        let gate = try session.announcements("inner")
        let path = Bytes(fifo.path)
        let process = try keeper.start(
          session,
          [
            "fork-as", "\(number)", "session", "child", "session", "ignore", "TERM", "tell", path, "deaf",
            "end",
            "tell", path, "member", "await", Bytes(gate.path), "exit", "0", "end", "reap", "exit-on", "TERM",
            "0", "tell", path, "leader",
          ], grace: "1s")
        try await fifo.expect("deaf", "member")
        let member = try #require(ProcTable.process(number))
        try gate.open()
        try await fifo.expect("leader")
        // Outside, somebody gets the number, and leads a session of that number.
        let perSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
        try await session.until("the clock has moved on") {
          cprocctl_monotonic_nanoseconds() / (1_000_000_000 / perSecond) > Int64(member.startTime) + 1
        }
        process.send(SIGTERM)
        let outside = try session.workload([
          "fork-as", "\(number)", "session", "child", "tell", path, "follower", "end", "tell", path,
          "innocent",
          "end",
        ])
        let said = try await fifo.expect("innocent", "follower")
        let result = try await process.end()
        #expect(result.ending == keeper.ending(afterKilling: 0), "\(result.errors)")
        #expect(Set(session.members().map(\.pid)) == Set(said.values).union([outside.pid]))
        try await session.sweep()
      }
    }
  }
}
