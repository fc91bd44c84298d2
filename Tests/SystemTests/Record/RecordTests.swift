import FoundationEssentials
import Glibc
import Testing

extension SystemTests {
  /// What a master leaves when it is gone: `procctl report` and `procctl why`.
  @Suite struct Records {
    private struct Record: Decodable {
      struct Phase: Decodable {
        struct Snapshot: Decodable {
          struct Child: Decodable {
            var pid: Int32
          }
          var resident_memory: Int
          var threads: Int
          var child_count: Int
          var children: [Child]
        }
        var name: String
        var snapshot: Snapshot?
      }
      struct Lane: Decodable {
        struct Request: Decodable {
          var method: String
          var path: String
          var answered: Int64?
        }
        struct Sent: Decodable {
          var signal: String
          var processes: Int
        }
        struct Check: Decodable {
          var holder: String?
        }
        struct End: Decodable {
          var exit_status: Int32?
          var signal: String?
        }
        var name: String
        var port: UInt16?
        var pid: Int32?
        var requests: [Request]
        var signals: [Sent]
        var port_checks: [Check]
        var leader_end: End?
        var force: String
        var duration: Int64?
      }
      struct Cleanup: Decodable {
        var name: String
        var failure: String?
        var duration: Int64?
      }
      var configuration: String
      var master: Int32
      var reason: String
      var duration: Int64
      var exit_status: Int32
      var summary: String
      var phases: [Phase]
      var workers: [Lane]
      var cleanups: [Cleanup]
      var survivors: [String]
    }

    private func report(_ session: TestSession, _ arguments: Bytes...) async throws -> TestProcess.Result {
      try await session.procctl(["report"] + arguments + [Bytes(session.path("procctl.toml"))]).end()
    }

    private func why(_ session: TestSession, _ worker: String, _ arguments: Bytes...) async throws
      -> TestProcess.Result
    {
      let config: [Bytes] = ["why", Bytes(worker), "--config", Bytes(session.path("procctl.toml"))]
      return try await session.procctl(config + arguments).end()
    }

    @Test("the report of a stop equals what has happened")
    func report() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let otherPort = try session.freePort()
        let master = try MasterRun(
          session,
          preamble: "[[cleanups]]\nname = \"good\"\ncommand = [\"true\"]\n"
            + "[[cleanups]]\nname = \"bad\"\ncommand = [\"false\"]",
          [
            TestWorker("polite", ["http", "{port}"], port: port, ready: "http:/health"),
            TestWorker(
              "deaf",
              [
                "ignore", "TERM", "child", "ignore", "TERM", "tell", Bytes(fifo.path), "below", "end",
                "tell", Bytes(fifo.path), "leader",
              ],
              "stop = [ { signal = \"TERM\", wait = \"200ms\" }, { signal = \"KILL\" } ]",
              "contain = \"session\""),
            TestWorker(
              "slow", ["http-stubborn", "{port}"], port: otherPort, ready: "http:/health",
              "stop = [ { request = \"POST /shutdown\", wait = \"1s\" }, { signal = \"TERM\", wait = \"20s\" } ]"
            ),
          ])
        let deaf = try await fifo.expect("below", "leader")
        try await master.allReady()
        let early = try await self.report(session)
        #expect(early.ending == .exited(1) && early.output.isEmpty)
        #expect(
          early.errors.hasPrefix("procctl: report: no shutdown of ")
            && early.errors.hasSuffix(" is recorded\n"))
        let children = Set(master.children.map(\.pid))
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(6))

        let json = try await self.report(session, "--json")
        #expect(json.ending == .exited(0) && json.errors.isEmpty)
        let record = try JSONDecoder().decode(Record.self, from: Data(json.output))
        #expect(record.master == master.pid && record.reason == "SIGTERM from pid \(getpid())")
        #expect(record.exit_status == 6 && result.errors.contains("stopped: \(record.summary)"))
        #expect(record.duration >= 200_000 && .microseconds(record.duration) <= took)
        #expect(record.phases.map(\.name) == ["stopping", "sweeping", "cleaning"])
        let snapshot = try #require(record.phases[0].snapshot)
        // Its own, and one while something is written.
        #expect((1...2).contains(snapshot.threads) && snapshot.resident_memory > 1 << 20)
        #expect(Set(snapshot.children.map(\.pid)).isSubset(of: children) && snapshot.child_count <= 3)
        #expect(record.phases[1].snapshot?.child_count == 0)

        let polite = try #require(record.workers.first)
        #expect(polite.port == port && polite.force == "none" && polite.signals.isEmpty)
        // It may end before its answer is read.
        #expect(polite.requests.map(\.path) == ["/shutdown"])
        #expect(polite.leader_end?.exit_status == 0)
        #expect(try #require(polite.port_checks.last).holder == nil)
        let stubborn = record.workers[1]
        #expect(stubborn.pid == deaf["leader"] && stubborn.force == "kill" && stubborn.requests.isEmpty)
        #expect(stubborn.signals.first?.signal == "SIGTERM" && stubborn.signals.first?.processes == 2)
        #expect(stubborn.signals.last?.signal == "SIGKILL" && stubborn.leader_end?.signal == "SIGKILL")
        #expect((stubborn.duration ?? 0) >= 200_000)
        let slow = record.workers[2]
        #expect(slow.requests.count == 1 && slow.requests.first?.answered != nil)
        #expect(slow.force == "signal" && slow.signals.map(\.signal) == ["SIGTERM"])
        #expect(slow.leader_end?.signal == "SIGTERM")
        #expect(record.cleanups.map(\.name) == ["bad", "good"], "the last one first")
        #expect(record.cleanups[0].failure == "exited with status 1" && record.cleanups[1].failure == nil)
        #expect(record.survivors.isEmpty)

        let table = try await self.report(session).outputText
        #expect(table.contains("polite") && table.contains("agreed in") && !table.contains("\u{1B}"))
        let file = session.path("picture.svg")
        let drawn = try await self.report(session, "--svg", "--output", Bytes(file))
        #expect(drawn.ending == .exited(0) && drawn.output.isEmpty)
        #expect((ProcTable.text(file) ?? "").hasSuffix("</svg>\n"))
        #expect(try await self.report(session, "--svg", "--json").ending == .exited(64))
        #expect(try await self.report(session, "--back", "1").ending == .exited(1))
      }
    }

    @Test("why says who ended a worker, while its master runs and after that was killed")
    func why() async throws {
      try await withSession { session in
        let master = try MasterRun(session, [TestWorker("alpha", ["hold"], "contain = \"session\"")])
        try await master.allReady()
        let first = try #require(master.children.first).pid
        kill(first, SIGUSR2)
        try await master.expect("alpha ready")
        let second = try #require(master.children.first).pid
        // What is new is written down within a moment, and the last of it at last.
        let expected = "It was started as pid \(second) and became ready"
        var said = try await self.why(session, "alpha")
        let deadline = Deadline(in: .seconds(10))
        while !said.outputText.contains(expected), !deadline.hasPassed {
          said = try await self.why(session, "alpha")
        }
        #expect(said.ending == .exited(0))
        #expect(said.outputText.contains("its leader (pid \(first)) was killed by SIGUSR2"))
        #expect(said.outputText.contains("alpha was restarted") && said.outputText.contains(expected))
        #expect(said.outputText.contains("That was the 2nd start in "))
        #expect(!said.outputText.contains("is gone"))

        let unknown = try await self.why(session, "alhpa")
        #expect(unknown.ending == .exited(1) && unknown.output.isEmpty)
        #expect(unknown.errors.hasSuffix("has no worker \"alhpa\", did you mean \"alpha\"?\n"))

        master.process.send(SIGKILL)
        _ = try await master.process.end()
        let after = try await self.why(session, "alpha")
        #expect(
          after.outputText.contains("Its master (pid \(master.pid)) is gone and has not ended in order"))
        struct Answer: Decodable {
          struct Event: Decodable {
            var kind: String
            var signal: String?
          }
          var master_runs: Bool
          var events: [Event]
        }
        let json = try await self.why(session, "alpha", "--json")
        let answer = try JSONDecoder().decode(Answer.self, from: Data(json.output))
        #expect(!answer.master_runs)
        #expect(
          answer.events.map(\.kind) == ["started", "ready", "leader-ended", "stopping", "started", "ready"])
        #expect(answer.events[2].signal == "SIGUSR2")
        try await session.sweep()
      }
    }

    @Test("nothing recorded is one line; a configuration that is wrong is refused as by run")
    func nothing() async throws {
      try await withSession { session in
        _ = try session.write(TestWorker("alpha", ["hold"]).table, to: "procctl.toml")
        let nothing = try await self.why(session, "alpha")
        #expect(nothing.ending == .exited(1))
        #expect(nothing.errors == "procctl: why: nothing is recorded of worker \"alpha\"\n")
        _ = try session.write("[workers.x]\n", to: "procctl.toml")
        #expect(try await self.why(session, "x").ending == .exited(78))
        #expect(try await self.report(session).ending == .exited(78))
      }
    }

    @Test("without a configuration, why finds who has such a worker, and report what was shut down last")
    func anyConfiguration() async throws {
      try await withSession { session in
        // There may be other masters' records on this machine.
        let worker = "only-\(getpid())"
        let master = try MasterRun(session, [TestWorker(worker, ["hold"])])
        try await master.allReady()
        #expect(try await master.stop().result.ending == .exited(0))
        let why = try await session.procctl("why", Bytes(worker)).end()
        #expect(why.ending == .exited(0) && why.outputText.contains("its master was stopped"))
        let report = try await session.procctl("report").end()
        #expect(report.outputText.hasPrefix("Shutdown of \(session.path("procctl.toml"))\n"))
        let unknown = try await session.procctl("why", Bytes(worker + "x")).end()
        #expect(unknown.ending == .exited(1))
        #expect(
          unknown.errors
            == "procctl: why: no master is known that has a worker \"\(worker)x\", did you mean \"\(worker)\"?\n"
        )

        // A second configuration with a worker of that name: neither is guessed.
        let other = try session.write(TestWorker(worker, ["hold"]).table, to: "other.toml")
        let second = try session.procctl("run", Bytes(other))
        let deadline = Deadline(in: .seconds(15))
        var running = ""
        while !running.contains("It has not been restarted since"), !deadline.hasPassed {
          running = try await session.procctl("why", Bytes(worker)).end().outputText
        }
        #expect(running.contains("became ready"), "that of the only one that runs")
        second.send(SIGTERM)
        #expect(try await second.end().ending == .exited(0))
        let several = try await session.procctl("why", Bytes(worker)).end()
        #expect(several.ending == .exited(64) && several.output.isEmpty)
        #expect(
          several.errors.contains("several masters have a worker"))
        for file in [session.path("procctl.toml"), other] {
          #expect(several.errors.contains("\n  \(file)\n"), "as it can be given to --config")
          let chosen = try await session.procctl("why", "--config", Bytes(file), Bytes(worker)).end()
          #expect(chosen.ending == .exited(0))
        }
      }
    }

    @Test("a disk without room for them is said, and changes nothing about the stop")
    func fullDisk() async throws {
      try await withSession { session in
        let master = try MasterRun(session, [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        try await session.fillDisk(of: master.pid)
        let (result, _) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(result.errors.components(of: "no record of this shutdown: write ") == 1)
        #expect(result.errors.components(of: "the history of the workers has gaps: ") == 1)
        #expect(try await self.report(session).ending == .exited(1))
        #expect(!ProcTable.names(session.path("state/procctl")).contains { $0.hasSuffix(".draft") })
      }
    }

    @Test("the log directory has them, where one is configured")
    func logDirectory() async throws {
      try await withSession { session in
        let logs = session.path("logs")
        try #require(mkdir(logs, 0o755) == 0)
        let master = try MasterRun(
          session, preamble: "[master]\nlog-directory = \"\(logs)\"", [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        #expect(try await master.stop().result.ending == .exited(0))
        #expect(
          ProcTable.names(logs).filter { $0.hasSuffix(".shutdown.json") || $0.hasSuffix(".history") }.count
            == 2)
        #expect(try await self.report(session).outputText.contains("exit status 0: clean"))
        #expect(try await self.why(session, "alpha").outputText.contains("its master was stopped"))
      }
    }
  }
}
