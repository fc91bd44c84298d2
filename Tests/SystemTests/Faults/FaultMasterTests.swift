import Glibc
import Testing

/// `procctl run` with every call that it makes failing, one at a time: two workers
/// are started, awaited and stopped, each with a child in a session of its own.
extension SystemTests {
  @Suite struct FaultMasterTests {
    @Test(.needs(.cgroup, "a worker gets one"), arguments: FaultCatalogue.calls, FaultyRun.parts)
    func oneFault(call: String, part: Int) async throws {
      for (turn, contain) in ["session", "guard"].enumerated() {
        let counts = try await CallCounts.shared.of("run \(contain)") {
          try await self.run([], contain: contain)
        }
        let faults = FaultCatalogue.faults(
          of: call, count: counts[call] ?? 0, all: FaultyRun.isExhaustive, turn: 3)
        for (number, fault) in faults.enumerated() where number % FaultyRun.parts.count == part {
          // A sample takes them by turns.
          if FaultyRun.isExhaustive || number % 2 == turn {
            _ = try await self.run([fault], contain: contain)
          }
        }
      }
    }

    /// Takes minutes: much is tried again until it works.
    @Test(
      .enabled(if: FaultyRun.isExhaustive), .needs(.cgroup, "a worker gets one"),
      arguments: FaultCatalogue.calls)
    func forEver(call: String) async throws {
      let counts = try await CallCounts.shared.of("run") { try await self.run([]) }
      guard counts[call] != nil else { return }
      for fault in FaultCatalogue.lasting(of: call, all: true) { _ = try await self.run([fault]) }
    }

    /// Many looks at who is left fail.
    @Test(
      .needs(.cgroup, "a worker gets one"), arguments: ["session", "guard"],
      [("/children", 7), ("cgroup.events", 2), ("/stat", 7)])
    func lookingOftenFails(contain: String, look: (path: String, period: Int)) async throws {
      let record = try await self.run(
        [Fault("open", about: look.path, .every(look.period), "EMFILE")], contain: contain)
      #expect(!record.tampered.isEmpty)
    }

    private func run(_ faults: [Fault], contain: String = "session") async throws -> FaultRecord {
      var record = FaultRecord(path: "")
      try await withSession { session in
        let ports = (try session.freePort(), try session.freePort())
        let stop = "{ signal = \"TERM\", wait = \"2s\" }, { signal = \"KILL\" }"
        let workers = [
          TestWorker(
            "one", ["child", "session", "hold", "end", "http", "\(ports.0)"], port: ports.0, ready: "tcp",
            "contain = \"\(contain)\"", "stop = [\(stop)]"),
          TestWorker(
            "two", ["child", "session", "hold", "end", "http", "\(ports.1)"], port: ports.1,
            ready: "http:/", "contain = \"cgroup\"",
            "stop = [{ request = \"POST /shutdown\", wait = \"2s\" }, \(stop)]"),
        ]
        let file = try session.write(workers.map(\.table).joined(separator: "\n\n"), to: "procctl.toml")
        let run = FaultyRun(session, faults)
        let process = try run.start(["run", Bytes(file)])
        let log = try #require(process.errors)
        // Or it has ended, or is blocked and tries again after a second: for that there is not always time.
        try? await session.until("all are ready", within: .seconds(6)) {
          log.take()
          return log.isAtEnd || log.text.contains("all workers are ready")
            || !FaultyRun.isExhaustive && log.text.contains(" blocked: ")
        }
        process.send(SIGTERM)
        let result = try? await process.end(within: FaultyRun.limit)
        record = run.record
        try await run.judge(result) { self.lies($0, faults) }
      }
      return record
    }

    private func lies(_ result: TestProcess.Result, _ faults: [Fault]) -> [String] {
      var problems = FaultyRun.crash(of: result)
      guard case .exited(let status) = result.ending else { return problems }
      let isMute = faults.contains { $0.call == "write" }
      switch status {
      case 0, 2, 3: if !isMute, !result.errors.contains("stopped: ") { problems.append("does not say how") }
      case 1, 4, 5, 6: problems.append("wrong status")
      case 69, 77, 78, 100: if !isMute, result.errors.isEmpty { problems.append("does not say why") }
      default: problems.append("no such status")
      }
      // What the second one leaves behind when it is asked takes a signal.
      if faults.isEmpty, status != 2 { problems.append("not clean without a fault") }
      return problems
    }
  }
}
