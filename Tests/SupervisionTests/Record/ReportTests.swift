import Foundation
import FoundationXML
import ProcCtl
import Supervision
import SystemPackage
import TemporaryFiles
import Testing

@Suite("The account for people")
struct ShutdownTableTests {
  @Test("has columns as wide as they must be, and nothing that a terminal might act on")
  func table() throws {
    let record = try #require(ReportFixture.record)
    #expect(
      ShutdownTable.text(of: record, style: .plain) == """
        Shutdown of /etc/web.toml
        2026-11-18 11:06:40Z, SIGTERM from pid 1, 5 workers
        exit status 4: clients were disconnected by force; delta needed a signal; gamma needed KILL; \
        port 9000 (b) held by pid 99 (nginx), in 1.2 s of at most 1 min 5 s

        PHASE     BEGAN  TOOK   OUTCOME
        stopping  0 µs   1.2 s  5 of 5 workers ended
        sweeping  1.2 s  1 ms   nobody left, 1 port held
        cleaning  1.2 s  60 ms  1 done

        WORKER        PORT  PID  TOOK    LEADER    ASKED            SIGNALS               CLIENTS          PORT IS
        alpha         8081  11   300 ms  exited 0  agreed in 40 ms  -                     4 → 0, 1 forced  free
        b<&>"\\x1b[2J  9000  12   failed  exited 1  -                TERM                  -                held by pid 99 (nginx)
        gamma         -     13   1 s     SIGKILL   -                TERM to 3, KILL to 2  -                -
        idle          -     -    -       -         -                -                     -                -
        delta         8082  15   200 ms  SIGTERM   HTTP status 500  TERM                  -                free

        CLEANUP  BEGAN  TOOK   OUTCOME
        flush    1.2 s  60 ms  done

        port 9000 (b) held by pid 99 (nginx)

        """)
  }

  /// The record with this number for every time in it.
  private func record(withTimes time: Int64) throws -> String {
    var text = String(decoding: RecordFile.encoded(try #require(ReportFixture.record)), as: UTF8.self)
    for key in ["answered", "at", "began", "budget", "duration", "start"] {
      let parts = text.components(separatedBy: "\"\(key)\":")
      let rests = parts.dropFirst().map { part in
        "\(time)" + part.drop { $0 == "-" || ("0"..."9").contains($0) }
      }
      text = ([parts[0]] + rests).joined(separator: "\"\(key)\":")
    }
    return text
  }

  @Test("a worker that ended as asked before it was heard has not failed to answer")
  func endedFirst() throws {
    var record = try #require(ReportFixture.record)
    record.workers[0].requests[0].answered = nil
    #expect(ShutdownTable.text(of: record, style: .plain).contains("exited 0  ended first"))
    record.workers[0].leaderEnd = nil
    #expect(ShutdownTable.text(of: record, style: .plain).contains("no answer"))
  }

  @Test("numbers that nobody can have written are no trouble")
  func absurdTimes() throws {
    let directory = try TemporaryDirectory()
    let limit = Int64(1) << 53
    let path = directory.path.appending("record.json")
    for time in [Int64.max, .min, limit + 1] {
      try directory.write(try self.record(withTimes: time), to: "record.json")
      #expect(throws: ProcessError.self) { try RecordFile.read(path) }
    }
    for time in [limit, -limit, 0] {
      try directory.write(try self.record(withTimes: time), to: "record.json")
      let record = try #require(try RecordFile.read(path))
      #expect(record.began == Microseconds(time))
      #expect(!ShutdownTable.text(of: record, style: .plain).isEmpty && !Timeline(record).svg.isEmpty)
    }
  }

  @Test("is coloured if that is wanted, and reads the same")
  func colours() throws {
    let record = try #require(ReportFixture.record)
    let coloured = ShutdownTable.text(of: record, style: .coloured)
    #expect(coloured.contains("\u{1B}[31mgamma\u{1B}[0m"))
    let plain = coloured.replacing(/\u{1B}\[[0-9]*m/, with: "")
    #expect(plain == ShutdownTable.text(of: record, style: .plain))
  }

  @Test(
    "times as people say them",
    arguments: [
      (0, "0 µs"), (999, "999 µs"), (1000, "1 ms"), (12_345, "12.3 ms"), (99_960, "100 ms"),
      (999_949, "1000 ms"), (999_950, "1 s"), (3_240_000, "3.2 s"), (59_949_999, "59.9 s"),
      (59_950_000, "1 min 0 s"), (125_000_000, "2 min 5 s"), (3_600_000_000, "1 h 0 min"),
      (11_045_000_000, "3 h 4 min"), (432_000_000_000, "5 days"), (-5, "0 µs"),
    ] as [(Int64, String)])
  func times(count: Int64, text: String) {
    #expect(Microseconds(count).text == text)
  }
}

@Suite("The picture of a shutdown")
struct TimelineTests {
  private static let golden = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "timeline.svg")

  @Test("is what it was; PROCCTL_WRITE_GOLDEN=1 writes it anew, to be looked at")
  func golden() throws {
    let svg = Timeline(try #require(ReportFixture.record)).svg
    if ProcessInfo.processInfo.environment["PROCCTL_WRITE_GOLDEN"] == "1" {
      try Data(svg.utf8).write(to: Self.golden)
    }
    #expect(try String(contentsOf: Self.golden, encoding: .utf8) == svg)
  }

  /// Collects the names of elements, and the texts.
  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var text = ""
    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
      qualifiedName: String?, attributes: [String: String]
    ) {
      self.elements[name, default: 0] += 1
    }
    func parser(_ parser: XMLParser, foundCharacters string: String) { self.text += string }
  }

  private func read(_ svg: String) throws -> Reader {
    let parser = XMLParser(data: Data(svg.utf8))
    let reader = Reader()
    parser.delegate = reader
    try #require(parser.parse(), "\(String(describing: parser.parserError))")
    return reader
  }

  @Test("is well-formed whatever names hold, and refers to nothing elsewhere")
  func wellFormed() throws {
    let svg = Timeline(try #require(ReportFixture.record)).svg
    let reader = try self.read(svg)
    #expect(reader.text.contains("b<&>\"\u{FFFD}[2J :9000"))
    #expect(
      reader.elements["svg"] == 1 && reader.elements["script"] == nil && reader.elements["image"] == nil)
    #expect(!svg.contains("href") && svg.components(separatedBy: "http://").count == 2, "its namespace")
  }

  @Test("has a lane for each worker; of very many, those that took longest", arguments: [1, 3, 100, 1200])
  func many(workers: Int) throws {
    let names = (0..<workers).map { "worker-\($0)" }
    var told = ToldAccount(names.map { ($0, nil) })
    for name in names { told.changed(name, .ready, pid: 1) }
    told.happened(.phaseBegan(.stopping))
    for name in names { told.changed(name, .stopping) }
    for name in names {
      told.pass(1)
      told.changed(name, .stopped)
    }
    told.account.ended(ShutdownOutcome(), at: told.now)
    let svg = Timeline(try #require(told.account.record)).svg
    let reader = try self.read(svg)
    let shown = names.filter { svg.contains(">\($0)</text>") }
    #expect(shown == Array(names.suffix(500)))
    #expect(svg.contains("more workers that took less time") == (workers > 500))
    #expect((reader.elements["line"] ?? 0) <= 14, "ticks, and the legend's")
  }

  @Test("a stop that took no time, and one without an end")
  func extremes() throws {
    var told = ToldAccount([])
    told.happened(.phaseBegan(.stopping))
    told.account.ended(ShutdownOutcome(), at: told.now)
    _ = try self.read(Timeline(try #require(told.account.record)).svg)
    var endless = ToldAccount([("a", 1)])
    endless.changed("a", .ready)
    endless.happened(.phaseBegan(.stopping))
    endless.changed("a", .stopping)
    endless.pass(3_600_000 * 50)
    #expect(try self.read(Timeline(try #require(endless.account.record)).svg).text.contains("not ended"))
  }
}

@Suite("Why a worker is as it is")
struct WorkerStoryTests {
  /// What is said so many milliseconds after the last event.
  private func story(_ told: ToldHistory, after: Int64, masterLives: Bool = true) -> WorkerStory {
    let now = Microseconds(1_795_000_000_000_000 + (told.milliseconds + after) * 1000)
    return WorkerStory(of: "alpha", in: told.history, masterLives: masterLives, now: now)
  }

  private func crash(_ told: inout ToldHistory, pid: Int32) {
    told.runs(pid: pid)
    told.pass(3200)
    told.happened(
      .leaderEnded(worker: "alpha", .signaled(.segmentationFault, coreDumped: true), lastSent: nil))
    told.changed(.stopping, "ended by SIGSEGV (core dumped)")
    told.happened(.willTryAgain(worker: "alpha", after: .milliseconds(400)))
    told.pass(400)
  }

  @Test("restarted after a crash")
  func restarted() {
    var told = ToldHistory()
    for pid in 811...813 { self.crash(&told, pid: Int32(pid)) }
    told.runs(pid: 814)
    let story = self.story(told, after: 12_000)
    #expect(
      story.sentences == [
        "alpha (port 8081) was restarted 12 s ago: its leader (pid 813) was killed by SIGSEGV (core dumped) "
          + "3.2 s after it became ready.",
        "It was started as pid 814 and became ready after 20 ms.", "That was the 4th start in 10.9 s.",
      ])
    #expect(story.earlier.count == 2)
    #expect(story.earlier[0].hasPrefix("2026-11-18 11:06:46Z: its leader (pid 812) was killed by SIGSEGV"))
  }

  @Test("started once, and waiting for its next try")
  func startedAndWaiting() {
    var told = ToldHistory()
    told.changed(.starting, pid: 5)
    #expect(
      self.story(told, after: 0).sentences == [
        "alpha (port 8081) was started 0 µs ago as pid 5 and is not ready yet.",
        "It has not been restarted since.",
      ])
    told.pass(10)
    told.happened(.leaderEnded(worker: "alpha", .exited(3), lastSent: nil))
    told.changed(.stopping, "exited with status 3")
    told.happened(.willTryAgain(worker: "alpha", after: .seconds(2)))
    let waits = self.story(told, after: 500)
    #expect(
      waits.sentences == [
        "alpha (port 8081) does not run: its leader (pid 5) exited with status 3 10 ms after it was started, "
          + "before it was ready.", "The next try is in 1.5 s.",
      ])
    told.changed(.stopped, "it was not running")
    #expect(
      self.story(told, after: 1000).sentences.first
        == "alpha (port 8081) did not run and was stopped before its next try, 1 s ago.")
  }

  @Test("blocked, with who has the port")
  func blocked() {
    var told = ToldHistory()
    for pause in [1, 2, 4] {
      told.happened(.portBlocked(worker: "alpha", port: 8081, holder: "pid 9 (nginx)"))
      if pause == 1 {
        told.changed(
          .blocked, "port 8081 is held by pid 9 (nginx); trying again in 1s, then ever more rarely")
      }
      told.happened(.willTryAgain(worker: "alpha", after: .seconds(pause)))
      told.pass(Int64(pause) * 1000)
    }
    #expect(
      self.story(told, after: 0).sentences == [
        "alpha (port 8081) cannot be started, since 7 s ago: port 8081 is held by pid 9 (nginx).",
        "It has been tried 3 times.", "The next try is due now.",
      ])
  }

  @Test("ended by command, with the master, and because it was never ready")
  func ended() {
    var commanded = ToldHistory()
    commanded.runs(pid: 7)
    commanded.happened(.commanded(worker: "alpha", .stop))
    commanded.changed(.stopping, "asked to stop")
    commanded.happened(
      .leaderEnded(worker: "alpha", .signaled(.terminate, coreDumped: false), lastSent: .terminate))
    commanded.changed(.stopped)
    #expect(
      self.story(commanded, after: 60_000).sentences == [
        "alpha (port 8081) was stopped 1 min 0 s ago: somebody commanded it to stop; "
          + "its leader (pid 7) was killed by our SIGTERM 0 µs after it became ready."
      ])
    commanded.happened(.commanded(worker: "alpha", .start))
    commanded.runs(pid: 8)
    #expect(
      self.story(commanded, after: 0).sentences.first?.hasSuffix(
        ", as somebody commanded. Before that, somebody commanded it to stop; "
          + "its leader (pid 7) was killed by our SIGTERM 0 µs after it became ready.") == true)
    var never = ToldHistory()
    never.changed(.starting, pid: 8)
    never.pass(5000)
    never.changed(.stopping, "not ready within 5s")
    #expect(
      self.story(never, after: 100).sentences == [
        "alpha (port 8081) is being ended, since 100 ms ago: it was not ready within 5s."
      ])
  }

  @Test("nothing is known after the master has died")
  func masterDied() {
    var told = ToldHistory()
    told.runs(pid: 7)
    var history = WorkerHistory()
    var began = WorkerEvent(worker: "", at: Microseconds(1), kind: .masterBegan)
    began.pid = 70
    history.add(began)
    for event in told.events { history.add(event) }
    let now = Microseconds(1_795_000_001_000_000)
    let gone = WorkerStory(of: "alpha", in: history, masterLives: false, now: now)
    #expect(
      gone.sentences.last
        == "Its master (pid 70) is gone and has not ended in order; what has happened since is not known.")
    #expect(WorkerStory(of: "alpha", in: history, masterLives: true, now: now).sentences.count == 2)
    #expect(WorkerStory(of: "beta", in: history, masterLives: true, now: now).sentences.isEmpty)
  }
}
