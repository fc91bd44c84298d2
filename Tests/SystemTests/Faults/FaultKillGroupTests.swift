import Glibc
import Testing

/// `procctl kill-group` with every call that it makes failing, one at a time.
extension SystemTests {
  @Suite struct FaultKillGroupTests {
    @Test(arguments: FaultCatalogue.calls, FaultyRun.parts)
    func oneFault(call: String, part: Int) async throws {
      let count = try await CallCounts.shared.of("kill-group") { try await self.run([]) }[call] ?? 0
      let faults = FaultCatalogue.faults(of: call, count: count, all: FaultyRun.isExhaustive, turn: 2)
      for (number, fault) in faults.enumerated() where number % FaultyRun.parts.count == part {
        _ = try await self.run([fault])
      }
    }

    @Test(arguments: FaultCatalogue.calls)
    func forEver(call: String) async throws {
      let counts = try await CallCounts.shared.of("kill-group") { try await self.run([]) }
      guard counts[call] != nil else { return }
      for fault in FaultCatalogue.lasting(of: call, all: FaultyRun.isExhaustive) {
        _ = try await self.run([fault])
      }
    }

    /// Once it has begun: every second look fails.
    @Test(arguments: ["opendir", "open", "read"])
    func lookingOftenFails(call: String) async throws {
      let record = try await self.run([
        Fault(call, about: call == "read" ? nil : "/proc", .every(2), "EMFILE")
      ])
      #expect(!record.tampered.isEmpty)
    }

    /// Where /proc hides nobody, whom it does not show is not gone.
    @Test("whom it may no longer look at is not called gone", arguments: 1...6)
    func forbidden(from look: Int) async throws {
      let record = try await self.run { [Fault("open", about: "/proc/\($0)/stat", .from(look), "EACCES")] }
      #expect(!record.tampered.isEmpty)
    }

    private func run(_ faults: [Fault]) async throws -> FaultRecord {
      try await self.run { _ in faults }
    }

    /// - Parameter faultsAbout: What goes wrong, given the target.
    private func run(_ faultsAbout: (pid_t) -> [Fault]) async throws -> FaultRecord {
      var record = FaultRecord(path: "")
      try await withSession { session in
        let heard = try session.announcements()
        let fifo = Bytes(heard.path)
        // The child ends before its parent, or process 1 would have to reap it, which takes its time.
        let target = try session.workload([
          "ignore", "CHLD", "child", "session", "tell", fifo, "below", "end", "slow-exit", "TERM", "100",
          "tell", fifo, "above", "hold",
        ])
        let said = try await heard.expect("below", "above")
        let faults = faultsAbout(target.pid)
        let run = FaultyRun(session, faults)
        let process = try run.start(["kill-group", "--grace", "1s", "\(target.pid)"])
        let result = try? await process.end(within: FaultyRun.limit)
        record = run.record
        target.reap()
        let leaks = try await run.leaks()
        var problems = result.map { self.lies($0, faults) } ?? ["it hangs"]
        if result?.ending == .exited(0) {
          problems += leaks.map(\.what)
          if target.ending == nil { problems.append("the target has not ended") }
        }
        if !problems.isEmpty { Issue.record(describe(faults, problems, result)) }
        if !leaks.isEmpty || result == nil {
          try await self.end(target, above: said["below"])
          try await session.sweep()
        }
      }
      return record
    }

    /// In that order, for the same reason.
    private func end(_ target: TestProcess, above child: pid_t?) async throws {
      if let child, ProcTable.process(child)?.parent == target.pid { kill(child, SIGKILL) }
      target.send(SIGTERM)
      _ = try? await target.end(within: .seconds(10))
    }

    private func lies(_ result: TestProcess.Result, _ faults: [Fault]) -> [String] {
      var problems = FaultyRun.crash(of: result)
      guard case .exited(let status) = result.ending else { return problems }
      if status != 0, status != 125 { problems.append("wrong status") }
      let isMute = faults.contains { $0.call == "write" }
      if status != 0, !isMute, !result.errors.hasPrefix("procctl: ") { problems.append("does not say why") }
      if faults.isEmpty, status != 0 { problems.append("not clean without a fault") }
      return problems
    }
  }
}
