import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// TERM while procctl starts, and while it cleans up: at growing delays, so that every stage is met.
  @Suite struct HostileMoments {
    /// Waits on a timer descriptor: the delay is the point of these tests, not a wait for something.
    private func pass(_ delay: Duration) async throws {
      let timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC))
      guard timer >= 0 else { throw WaitError("timerfd: \(errno)") }
      defer { close(timer) }
      let nanoseconds = Int64(delay / .nanoseconds(1))
      guard nanoseconds > 0 else { return }
      _ = cprocctl_timerfd_arm(timer, cprocctl_monotonic_nanoseconds() + nanoseconds)
      _ = try await readable([timer], by: Deadline(in: delay + .seconds(1)))
    }

    /// No process, and no cgroup.
    private func expectNothingLeft(_ session: TestSession, _ when: String) {
      #expect(session.members().isEmpty, "\(when)")
      #expect(session.cgroup?.children().isEmpty != false, "\(when)")
    }

    @Test("a TERM at any moment of the start leaves nothing", arguments: Keeper.verbs)
    func starting(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        // How long a start takes here and now, with what the workload does at first.
        let stopwatch = Stopwatch()
        let actions: [Bytes] = [
          "daemonize", "ignore", "TERM", "end", "child", "session", "ignore", "TERM", "end", "tell", path,
          "leader",
        ]
        let first = try keeper.start(session, actions, grace: "20ms")
        try await fifo.expect("leader")
        let whole = stopwatch.elapsed
        first.send(SIGTERM)
        try await first.end()

        var endings: Set<String> = []
        let moments = 30
        for moment in 0...moments {
          let process = try keeper.start(session, actions, grace: "20ms")
          if moment < moments {
            try await self.pass(whole * moment / (moments - 4))
          } else {
            // The last is after the start, however long this one takes.
            try await session.until("the workload stands") {
              session.members().contains { $0.session != process.pid && $0.name == "test-workload" }
            }
          }
          process.send(SIGTERM)
          let result = try await process.end()
          self.expectNothingLeft(session, "TERM at moment \(moment)")
          endings.insert("\(result.ending)")
          switch (keeper, result.ending) {
          // Before it has taken over its signals it has nothing to clean up.
          case (_, .signaled(SIGTERM)): break
          case (.spawn, .exited(128 + SIGTERM)): break
          // Who has not come to ignoring TERM yet goes by it; the others need KILL.
          case (.run, .exited(0)), (.run, .exited(3)): break
          default: Issue.record("moment \(moment): \(result.ending): \(result.errors)")
          }
        }
        #expect(endings.count > 1, "the moments were not all the same: \(endings)")
      }
    }

    @Test("a TERM at any moment of the clean-up changes nothing", arguments: Keeper.verbs)
    func cleaningUp(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        let path = Bytes(fifo.path)
        for moment in 0..<20 {
          let process = try keeper.start(
            session,
            [
              "daemonize", "ignore", "TERM", "tell", path, "hidden", "end", "exit-on", "TERM", "7", "tell",
              path, "leader", "await", Bytes(gate.path), "exit", "7",
            ], grace: "30ms")
          let announced = try #require(try await fifo.expect("hidden", "leader")["leader"])
          let leader = try session.outside(announced, keeper.containment)
          switch keeper {
          case .spawn: try gate.open()
          case .run: process.send(SIGTERM)
          }
          try await session.untilEnd(of: leader)
          try await self.pass(.milliseconds(2) * moment)
          process.send(SIGTERM)
          let result = try await process.end()
          self.expectNothingLeft(session, "TERM at moment \(moment)")
          #expect(
            result.ending == keeper.ending(afterKilling: 7), "TERM at moment \(moment): \(result.errors)")
        }
      }
    }

    @Test("control: a TERM that nobody takes over leaves what has been started")
    func control() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.workload([
          "daemonize", "ignore", "TERM", "tell", Bytes(fifo.path), "hidden", "end",
        ])
        try await fifo.expect("hidden")
        process.send(SIGTERM)
        #expect(try await process.end().ending == .signaled(SIGTERM))
        #expect(session.members().count == 1)
        try await session.sweep()
      }
    }
  }
}
