import FoundationEssentials
import Glibc
import Testing

extension SystemTests {
  /// `procctl run` with many workers of every temper.
  @Suite struct MasterFleet {
    /// TERM, INT and KILL within three seconds and a half. Who takes his time has two seconds more than that.
    private static let stop =
      "stop = [ { signal = \"TERM\", wait = \"2s\" }, { signal = \"INT\", wait = \"1500ms\" }, { signal = \"KILL\" } ]"
    private static let limit = Duration.milliseconds(3500)

    /// How a worker behaves when it is asked to end, and what that is called.
    private enum Temper: CaseIterable {
      case polite, slow, interrupted, deaf, escaping, holdingItsPort, crashing, losingItsLeader

      /// What it takes to end it, in the words of a report.
      var force: String {
        switch self {
        case .deaf, .escaping, .holdingItsPort: "kill"
        case .interrupted: "signal"
        case .polite, .slow, .crashing, .losingItsLeader: "none"
        }
      }

      func worker(_ index: Int, port: UInt16) -> TestWorker {
        let actions: [Bytes] =
          switch self {
          case .polite: ["exit-on", "TERM", "0", "listen", "{port}"]
          case .slow: ["slow-exit", "TERM", "500", "listen", "{port}"]
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

    /// What `procctl report --json` says.
    private struct Record: Decodable {
      struct Lane: Decodable {
        struct Check: Decodable {
          var holder: String?
        }
        struct End: Decodable {
          var exit_status: Int32?
        }
        var name: String
        var port: UInt16?
        var force: String
        var clients_forced: Int
        var leader_end: End?
        var port_checks: [Check]
        var duration: Int64?
      }
      var exit_status: Int32
      var workers: [Lane]
      var survivors: [String]
      var held_ports: [String]
      var internal_errors: [String]
    }

    /// What listens on none of its ports any more is free for the next.
    private func free(_ ports: [UInt16]) -> Bool {
      ports.allSatisfy { (try? LoopbackSocket(port: $0, listens: true)) != nil }
    }

    @Test(
      "fifty of every temper end within the slowest one's limit, and start again at once",
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
          let deaf = try #require(Temper.allCases.firstIndex(of: .deaf))
          let clients = [try TestClient(port: ports[deaf]), try TestClient(port: ports[0])]
          let (result, took) = try await master.stop()
          #expect(result.ending == .exited(3), "round \(round): \(result.errors)")
          // One after the other, the deaf alone would take a minute.
          #expect(took < Self.limit + .seconds(4))
          #expect(session.members().isEmpty)
          #expect(self.free(ports))
          // Who has clients and must be killed loses them by force, and keeps the more severe status.
          let json = try await session.procctl(
            "report", "--json", Bytes(session.path("procctl.toml"))
          ).end()
          let record = try JSONDecoder().decode(Record.self, from: Data(json.output))
          #expect(record.exit_status == 3)
          #expect(record.survivors.isEmpty && record.held_ports.isEmpty && record.internal_errors.isEmpty)
          #expect(record.workers.count == ports.count)
          for (index, lane) in record.workers.enumerated() {
            let temper = Temper.allCases[index % Temper.allCases.count]
            #expect(lane.name == "w\(index)-\(temper)" && lane.port == ports[index])
            #expect(lane.force == temper.force, "\(lane)")
            #expect(lane.clients_forced == (index == deaf ? 1 : 0), "\(lane)")
            #expect(
              lane.leader_end?.exit_status == (temper == .crashing ? 70 : temper == .deaf ? nil : 0),
              "\(lane)")
            let check = try #require(lane.port_checks.last)
            #expect(check.holder == nil)
            #expect(lane.duration.map { $0 >= 0 && Duration.microseconds($0) < took } == true)
          }
          _ = clients
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
        for _ in 0..<10 where best >= slowest + .milliseconds(100) {
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
