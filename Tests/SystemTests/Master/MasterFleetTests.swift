import Glibc
import Testing

extension SystemTests {
  /// `procctl run` with many workers of every temper.
  @Suite struct MasterFleet {
    /// TERM, INT and KILL within a second and a half.
    private static let stop =
      "stop = [ { signal = \"TERM\", wait = \"1s\" }, { signal = \"INT\", wait = \"500ms\" }, { signal = \"KILL\" } ]"
    private static let limit = Duration.milliseconds(1500)

    /// How a worker behaves when it is asked to end, and what that is called.
    private enum Temper: CaseIterable {
      case polite, slow, interrupted, deaf, escaping, holdingItsPort, crashing, losingItsLeader

      var needsKill: Bool { [.deaf, .escaping, .holdingItsPort].contains(self) }

      func worker(_ index: Int, port: UInt16) -> TestWorker {
        let actions: [Bytes] =
          switch self {
          case .polite: ["exit-on", "TERM", "0", "listen", "{port}"]
          case .slow: ["slow-exit", "TERM", "700", "listen", "{port}"]
          case .interrupted: ["ignore", "TERM", "exit-on", "INT", "0", "listen", "{port}"]
          case .deaf: ["ignore", "TERM", "ignore", "INT", "listen", "{port}"]
          case .escaping:
            [
              "listen", "{port}", "daemonize", "ignore", "TERM", "ignore", "INT", "end", "exit-on", "TERM",
              "0",
            ]
          case .holdingItsPort:
            // Below another session, it is this child that has the socket.
            [
              "child", "session", "ignore", "TERM", "ignore", "INT", "listen", "{port}", "end", "exit-on",
              "TERM", "0",
            ]
          case .crashing: ["exit-on", "TERM", "70", "listen", "{port}"]
          case .losingItsLeader:
            ["listen", "{port}", "child", "slow-exit", "TERM", "300", "end", "exit-on", "TERM", "0"]
          }
        return TestWorker("w\(index)-\(self)", actions, port: port, ready: "tcp", MasterFleet.stop)
      }
    }

    /// What listens on none of its ports any more is free for the next.
    private func free(_ ports: [UInt16]) -> Bool {
      ports.allSatisfy { (try? LoopbackSocket(port: $0, listens: true)) != nil }
    }

    @Test(
      "fifty of every temper end within the slowest one's limit and a second, and start again at once",
      arguments: [Containment.session, .cgroup].filter(Containment.possible.contains))
    func mixed(_ containment: Containment) async throws {
      try await withSession { session in
        let ports = try (0..<50).map { _ in try session.freePort() }
        let workers = ports.enumerated().map { index, port in
          var worker = Temper.allCases[index % Temper.allCases.count].worker(index, port: port)
          worker.lines.append(containment.line)
          return worker
        }
        for round in 1...2 {
          let master = try MasterRun(session, workers)
          try await master.allReady()
          let (result, took) = try await master.stop()
          #expect(result.ending == .exited(3), "round \(round): \(result.errors)")
          #expect(took < Self.limit + .seconds(1))
          #expect(session.members().isEmpty)
          #expect(self.free(ports))
          let killed = Temper.allCases.filter(\.needsKill)
          let last = result.errors.split(separator: "\n").last { $0.contains("procctl: stopped:") } ?? ""
          let expected = ports.indices.filter { killed.contains(Temper.allCases[$0 % Temper.allCases.count]) }
          let signalled = ports.indices.filter { Temper.allCases[$0 % Temper.allCases.count] == .interrupted }
          // The first few by name, the rest by number.
          #expect(last.contains("and \(expected.count - 5) more needed KILL"), "\(last)")
          #expect(last.contains("and \(signalled.count - 5) more needed a signal"), "\(last)")
        }
      }
    }

    @Test("with polite workers a stop takes under 100 ms more than the slowest of them")
    func polite() async throws {
      try await withSession { session in
        let ports = try (0..<20).map { _ in try session.freePort() }
        let slowest = Duration.milliseconds(300)
        let workers = ports.enumerated().map { index, port in
          TestWorker(
            "w\(index)", ["slow-exit", "TERM", index == 7 ? "300" : "0", "listen", "{port}"], port: port,
            ready: "tcp", Self.stop)
        }
        // What it takes when nothing else has the processors is what is asked; other tests may have them.
        var best = Duration.seconds(60)
        for _ in 0..<5 where best >= slowest + .milliseconds(100) {
          let master = try MasterRun(session, workers)
          try await master.allReady()
          let (result, took) = try await master.stop()
          #expect(result.ending == .exited(0), "\(result.errors)")
          best = min(best, took)
        }
        #expect(best >= slowest)
        #expect(best < slowest + .milliseconds(100))
      }
    }
  }
}
