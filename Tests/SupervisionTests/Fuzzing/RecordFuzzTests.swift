import Foundation
import FoundationXML
import ProcCtl
import SeededRandom
import Supervision
import SystemPackage
import TemporaryFiles
import Testing

/// `procctl report` and `why` read what some master has left, or what has become of it on the disk.
@Suite("Fuzzing what masters leave")
struct RecordFuzzTests {
  private static let damage = Damage(tokens: [
    "{", "}", "[", "]", "\"", ":", ",", "null", "true", "-", "e9", ".5", "\\u001b[2J", "\\u202e", "\\u0000",
    "\\ud800", "\n", "\"SIGKILL\"", "\"stopping\"", "\"leader-ended\"", "\"kind\":\"started\"", "\"times\":9",
    "\u{1B}[2J", "\u{2028}",
  ])

  /// Lines for people, none of which a terminal acts on.
  private static func isSafe(_ text: String) -> Bool {
    text.split(separator: "\n").allSatisfy { isOneSafeLine(String($0)) }
  }

  @Test("A damaged record is no record, or is shown in each way")
  func record() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("record.json")
    let original = RecordFile.encoded(try #require(ReportFixture.record))
    var (shown, refused) = (0, 0)
    let failures = FuzzRun.failures("record", cases: 500) { random in
      let bytes = Self.damage.apply(to: original, using: &random)
      try directory.write(String(decoding: bytes, as: UTF8.self), to: "record.json")
      let record: ShutdownRecord
      do {
        record = try #require(try RecordFile.read(path))
      } catch {
        refused += 1
        return "\(error)".contains(path.string) ? nil : "\(error) does not name the file"
      }
      shown += 1
      let table = ShutdownTable.text(of: record, style: .plain)
      guard Self.isSafe(table) else { return "a table that is not safe: \(table.debugDescription)" }
      guard XMLParser(data: Data(Timeline(record).svg.utf8)).parse() else {
        return "a picture that is no XML"
      }
      let again = String(decoding: RecordFile.encoded(record), as: UTF8.self)
      try directory.write(again, to: "record.json")
      return try RecordFile.read(path) == record ? nil : "written again it reads otherwise: \(again)"
    }
    #expect(failures == [])
    #expect((shown > 30 && refused > 100) || FuzzRun.isReplaying, "\(shown) shown, \(refused) refused")
  }

  private static func history() -> [UInt8] {
    var told = ToldHistory([("alpha", 8081), ("beta", nil)])
    told.runs(pid: 812)
    told.happened(.leaderEnded(worker: "alpha", .signaled(.kill, coreDumped: true), lastSent: nil))
    told.changed(.stopping, "ended by SIGKILL", pid: 812)
    told.happened(.willTryAgain(worker: "alpha", after: .milliseconds(100)))
    told.pass(100)
    told.runs(pid: 813)
    told.happened(.commanded(worker: "alpha", .restart))
    told.changed(.stopping, "asked to stop", pid: 813)
    told.happened(.leaderEnded(worker: "alpha", .exited(3), lastSent: .terminate))
    told.runs(pid: 814)
    told.happened(.portBlocked(worker: "beta", port: 8082, holder: "pid 9 (nginx)"))
    told.changed(.blocked, "port 8082 is held by pid 9 (nginx); trying again in 1s", name: "beta")
    told.happened(.willTryAgain(worker: "beta", after: .seconds(1)))
    var began = WorkerEvent(worker: "", at: Microseconds(1_795_000_000_000_000), kind: .masterBegan)
    began.pid = 77
    return began.line + told.events.flatMap(\.line)
  }

  @Test("Of a damaged history the whole lines count, and make a story")
  func history() throws {
    let original = Self.history()
    let lines = original.count { $0 == UInt8(ascii: "\n") }
    let whole = WorkerHistory(lines: original)
    #expect(whole.count == lines && whole.workers == ["alpha", "beta"])
    var stories = 0
    let failures = FuzzRun.failures("history", cases: 1000) { random in
      let bytes = Self.damage.apply(to: original, using: &random)
      let history = WorkerHistory(lines: bytes)
      for worker in history.workers + ["", "nobody"] {
        guard history.events(of: worker).count <= WorkerHistory.mostEvents else {
          return "too many of \(worker)"
        }
        for now in [Microseconds(0), Microseconds(1_795_000_100_000_000), Microseconds(1 << 53)] {
          let story = WorkerStory(of: worker, in: history, masterLives: random.chance(50), now: now)
          stories += story.sentences.count
          if worker == "nobody", !story.sentences.isEmpty { return "a story of nobody" }
          guard story.earlier.count <= 5 else { return "\(story.earlier)" }
        }
      }
      return WorkerHistory(lines: history.lines) == history ? nil : "written again it reads otherwise"
    }
    #expect(failures == [])
    #expect(stories > 3000 || FuzzRun.isReplaying, "\(stories)")
  }

  private static let hierarchy = CgroupHierarchy(
    mountinfo: "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw".utf8, membership: "0::/system.slice".utf8
  )

  /// A line with the checksum that belongs to it.
  private static func summed(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return "\(text) sum=\(String(repeating: "0", count: 16 - digits.count))\(digits)\n"
  }

  /// What a line says may be anything while its sum is right: that is no protection against malice.
  @Test("A ledger whose lines are whole is read as it is written, or its line is named")
  func ledger() throws {
    let fields = [
      "worker=alpha", "cookie=alpha:1f", "port=8081", "pid=900", "time=6300", "guard=yes",
      "cgroup=/sys/fs/cgroup/procctl-812/alpha.1",
    ]
    let damage = Damage(tokens: [
      "=", "%00", "%2f", "%", "%zz", "..", "/", "pid=1", "port=", " ", "worker=", "-", "yes", "cgroup=",
    ])
    var (read, named) = (0, 0)
    let failures = FuzzRun.failures("ledger", cases: 300) { random in
      var text = Self.summed(
        "procctl-ledger version=1 boot=b namespace=4026531836 pid=812 time=991 cgroup=/sys/fs/cgroup/procctl-812"
          + " configuration=/etc/web.toml")
      for _ in 0..<Int.random(in: 1...5, using: &random) {
        var words = fields.filter { _ in random.chance(80) }
        words.shuffle(using: &random)
        let line = "start " + words.joined(separator: " ")
        // A debug build checks a path again and again: not one of thousands of components.
        let bytes = damage.apply(to: Array(line.utf8), using: &random).prefix(400)
        text += Self.summed(random.chance(50) ? line : String(decoding: bytes, as: UTF8.self))
      }
      let count = text.utf8.count { $0 == UInt8(ascii: "\n") }
      let reading = LedgerText.parse(Array(text.utf8))
      guard let ledger = reading.ledger else { return "no ledger: \(reading.problems)" }
      read += ledger.entries.count
      named += reading.problems.count
      for problem in reading.problems {
        let number = problem.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        guard (2...count).contains(number) else { return problem }
      }
      guard LedgerText.parse(Array(LedgerText.whole(ledger).utf8)) == LedgerText.Reading(ledger: ledger)
      else {
        return "written again it reads otherwise: \(LedgerText.whole(ledger))"
      }
      // What it says of cgroups is believed only of those below the master's own.
      let plan = LeftoverPlan(ledger, definitions: [], namespace: 4_026_531_836, hierarchy: Self.hierarchy)
      for remains in plan.remains where remains.entry != nil {
        guard let cgroup = remains.cgroup else { continue }
        guard cgroup.removingLastComponent() == "/sys/fs/cgroup/procctl-812" else { return "\(cgroup)" }
      }
      let pids = plan.remains.compactMap { $0.leader?.processIdentifier.value }
      return pids.allSatisfy { $0 > 1 } ? nil : "\(pids)"
    }
    #expect(failures == [])
    #expect((read > 50 && named > 50) || FuzzRun.isReplaying, "\(read) read, \(named) named")
  }
}
