import CProcCtl
import Foundation
import Glibc
import Testing

/// A JSON line of ours, taken apart by somebody else's reader.
func json(_ line: some StringProtocol) throws -> [String: Any] {
  try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
}

func jsonList(_ line: some StringProtocol) throws -> [[String: Any]] {
  try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [[String: Any]])
}

extension SystemTests {
  /// `procctl spawn`: what --json and --status-fd say.
  @Suite struct SpawnReport {
    @Test("--json says at the end how it went, on standard error")
    func final() async throws {
      try await withSession { session in
        let result = try await session.procctl("spawn", "--json", "--", "/bin/sh", "-c", "exit 9").end()
        let lines = result.errors.split(separator: "\n")
        try #require(lines.count == 1)
        let report = try json(lines[0])
        #expect(report["event"] as? String == "ended")
        #expect(report["exit_status"] as? Int == 9)
        #expect(report["timed_out"] as? Bool == false)
        #expect(report["leftovers"] as? Int == 0)
        #expect((report["survivors"] as? [Any])?.isEmpty == true)
        #expect((report["held_ports"] as? [Any])?.isEmpty == true)
        #expect(report["signal"] == nil)
        #expect((report["pid"] as? Int ?? 0) > 1)
        let seconds = try #require(report["seconds"] as? Double)
        #expect(seconds > 0 && .seconds(seconds) <= result.duration)
        #expect(result.output.isEmpty)
      }
    }

    @Test("death by a signal, a time limit and leftovers are told apart")
    func kinds() async throws {
      try await withSession { session in
        let killed = try json(
          try await session.procctl("spawn", "--json", "--", Bytes(Programs.workload), "raise", "KILL").end()
            .errors)
        #expect(killed["signal"] as? String == "SIGKILL")
        #expect(killed["exit_status"] == nil)

        let late = try json(
          try await session.procctl(
            "spawn", "--json", "--timeout", "100ms", "--", Bytes(Programs.workload), "hold"
          ).end().errors)
        #expect(late["timed_out"] as? Bool == true)
        #expect(late["signal"] as? String == "SIGTERM")
        #expect(late["last_signal"] as? String == "SIGTERM")

        let left = try json(
          try await session.procctl(
            "spawn", "--json", "--grace", "200ms", "--", Bytes(Programs.workload), "ignore", "TERM", "child",
            "hold", "end", "exit", "0"
          ).end().errors)
        #expect(left["leftovers"] as? Int == 1)
        #expect(left["last_signal"] as? String == "SIGKILL")
        #expect(left["exit_status"] as? Int == 0)
      }
    }

    @Test("--status-fd tells the start while the command runs, and the end")
    func events() async throws {
      try await withSession { session in
        var ends: [Int32] = [-1, -1]
        try #require(pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0)
        let events = Capture(ends[0])
        var launch = Launch(
          Programs.procctl,
          ["spawn", "--status-fd", "3", "--", Bytes(Programs.workload), "exit-on", "TERM", "4"])
        launch.passed = [(ends[1], 3)]
        let process = try session.start(launch)
        close(ends[1])
        try await events.expect("\n")
        let started = try json(events.lines[0])
        #expect(started["event"] as? String == "started")
        let pid = pid_t(try #require(started["pid"] as? Int))
        let observed = try #require(ProcTable.process(pid))
        #expect(observed.parent == process.pid)
        #expect(started["start_time"] as? UInt64 == observed.startTime)
        #expect(events.lines.count == 1)

        process.send(SIGTERM)
        let result = try await process.end()
        #expect(try await events.expectEnd(within: .seconds(5)))
        let ended = try json(events.lines[1])
        #expect(ended["event"] as? String == "ended")
        #expect(ended["pid"] as? Int == Int(pid))
        // The signal may come before the program has its handler.
        #expect([.exited(4), .exited(143)].contains(result.ending))
        #expect(result.errors.isEmpty, "--status-fd alone writes nothing to standard error")
      }
    }
  }
}
