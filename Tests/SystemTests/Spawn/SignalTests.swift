import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn`: what is sent to it reaches the command.
  @Suite struct SpawnSignals {
    /// All but KILL and STOP, which nobody gets; CHLD, which is the kernel's news for
    /// procctl; TSTP, which suspends both; ALRM, by which the workload limits its own life;
    /// 32 and 33, which are glibc's; and TERM, tried last because it ends.
    private static let forwarded: [Int32] = (1...64).filter {
      ![SIGKILL, SIGSTOP, SIGCHLD, SIGTSTP, SIGALRM, 32, 33, SIGTERM].contains($0)
    }

    @Test("every signal is forwarded as it is")
    func forwarding() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl(
          "spawn", "--", Bytes(Programs.workload), "report-signals", Bytes(fifo.path))
        try await fifo.expect("ready")
        for signal in Self.forwarded {
          process.send(signal)
          try await fifo.expect("signal-\(signal)")
        }
        process.send(SIGTERM)
        try await fifo.expect("signal-\(SIGTERM)")
        #expect(try await process.end().ending == .exited(0))
        // TERM is followed by CONT, in case the command was stopped; nothing else was made up.
        #expect(fifo.rest().filter { $0 != "signal-\(SIGCONT)" }.isEmpty)
      }
    }

    @Test("real-time signals that come in a burst are all forwarded, in order")
    func burst() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl(
          "spawn", "--", Bytes(Programs.workload), "report-signals", Bytes(fifo.path))
        try await fifo.expect("ready")
        for _ in 0..<50 { process.send(40) }
        _ = try await fifo.expect(50, of: "signal-40")
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("--map-signal sends another, or none")
    func mapping() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl(
          "spawn", "--map-signal", "HUP:USR1", "--map-signal", "USR2:", "--map-signal", "RTMIN:RTMIN+3", "--",
          Bytes(Programs.workload), "report-signals", Bytes(fifo.path))
        try await fifo.expect("ready")
        process.send(SIGUSR2)
        process.send(SIGHUP)
        try await fifo.expect("signal-\(SIGUSR1)")
        process.send(34)
        try await fifo.expect("signal-37")
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(0))
        let rest = fifo.rest()
        #expect(!rest.contains("signal-\(SIGUSR2)"))
        #expect(!rest.contains("signal-\(SIGHUP)"))
      }
    }

    @Test("TERM dropped by --map-signal does not end the command")
    func droppedTerminate() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl(
          "spawn", "--map-signal", "TERM:", "--grace", "100ms", "--", Bytes(Programs.workload),
          "report-signals",
          Bytes(fifo.path))
        try await fifo.expect("ready")
        process.send(SIGTERM)
        process.send(SIGUSR1)
        try await fifo.expect("signal-\(SIGUSR1)")
        #expect(!fifo.rest().contains("signal-\(SIGTERM)"))
        process.send(SIGKILL)
        _ = try await process.end()
        // Without its guard the command is on its own: end it here.
        try await session.sweep()
      }
    }

    @Test("--signal is what a stop sends instead of TERM")
    func stopSignal() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl(
          "spawn", "--signal", "INT", "--", Bytes(Programs.workload), "ignore", "TERM", "exit-on", "INT", "6",
          "tell",
          Bytes(fifo.path), "ready")
        try await fifo.expect("ready")
        process.send(SIGTERM)
        #expect(try await process.end(within: .seconds(4)).ending == .exited(6))
      }
    }

    @Test("the whole process group hears a forwarded signal")
    func group() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let process = try session.procctl(
          "spawn", "--", Bytes(Programs.workload), "child", "report-signals", path, "end", "report-signals",
          path)
        _ = try await fifo.expect(2, of: "ready")
        process.send(SIGUSR1)
        _ = try await fifo.expect(2, of: "signal-\(SIGUSR1)")
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("a stopped command is ended all the same")
    func stopped() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl(
          "spawn", "--", Bytes(Programs.workload), "exit-on", "TERM", "3", "tell", Bytes(fifo.path), "ready",
          "raise",
          "STOP")
        let pid = try await fifo.expect("ready")["ready"] ?? 0
        try await session.untilState(of: pid, is: "T")
        process.send(SIGTERM)
        #expect(try await process.end(within: .seconds(4)).ending == .exited(3))
      }
    }
  }
}
