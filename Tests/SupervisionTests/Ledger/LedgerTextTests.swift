import ProcCtl
import SeededRandom
import Supervision
import SystemPackage
import Testing

@Suite struct LedgerTextTests {
  private let header = Ledger.Header(
    master: RecordedProcess(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(812), startTime: 991), boot: "b0-07"),
    namespace: 4_026_531_836, cgroup: "/sys/fs/cgroup/procctl-812", configuration: "/etc/procctl/a b.toml")

  private func identity(_ pid: Int32) -> ProcessIdentity {
    ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: UInt64(pid) * 7)
  }

  private var full: Ledger {
    Ledger(
      header: self.header,
      entries: [
        Ledger.Entry(
          worker: "alpha", cookie: "alpha:1f", port: 8081, leader: self.identity(900),
          cgroup: "/sys/fs/cgroup/procctl-812/alpha.1"),
        Ledger.Entry(worker: "beta", cookie: "beta:20"),
        Ledger.Entry(
          worker: "gamma", cookie: ByteString(bytes: [0xff, 0x20, 0x25, 0x0a, 0x3d]),
          leader: self.identity(901), leaderIsGuard: true),
      ])
  }

  private func parse(_ text: String) -> LedgerText.Reading { LedgerText.parse(Array(text.utf8)) }

  @Test func whatIsWrittenIsRead() {
    let text = LedgerText.whole(self.full)
    #expect(text.utf8.allSatisfy { $0 == 0x0a || (0x20..<0x7f).contains($0) })
    #expect(self.parse(text) == LedgerText.Reading(ledger: self.full))
  }

  @Test func startsAndEndsAreFollowed() {
    var expected = self.full
    var text = LedgerText.whole(self.full)
    text += LedgerText.ended(worker: "alpha")
    expected.ended(worker: "alpha")
    #expect(
      self.parse(text).ledger?["alpha"] == Ledger.Entry(worker: "alpha", cookie: "alpha:1f", port: 8081))
    let again = Ledger.Entry(worker: "alpha", cookie: "alpha:1f", port: 8081, leader: self.identity(950))
    text += LedgerText.started(again)
    expected.started(again)
    text += LedgerText.ended(worker: "nobody")
    #expect(self.parse(text) == LedgerText.Reading(ledger: expected))
    #expect(expected.entries.map(\.worker) == ["alpha", "beta", "gamma"])
  }

  @Test func aTornLastLineIsTolerated() {
    let whole = Array(LedgerText.whole(self.full).utf8)
    let line = Array(LedgerText.ended(worker: "alpha").utf8)
    for length in 0..<line.count {
      #expect(LedgerText.parse(whole + line[..<length]) == LedgerText.Reading(ledger: self.full))
    }
    #expect(LedgerText.parse(whole + line).ledger?["alpha"]?.leader == nil)
  }

  @Test func nothingIsBelievedWithoutItsHeader() {
    for text in [
      "", "procctl-ledger version=1", "\n", LedgerText.started(self.full.entries[0]), "x y sum=0\n",
    ] {
      let reading = self.parse(text)
      #expect(reading.ledger == nil && reading.problems.count == 1, "\(text)")
    }
  }

  /// A line with the checksum that belongs to it.
  private func line(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return "\(text) sum=\(String(repeating: "0", count: 16 - digits.count))\(digits)\n"
  }

  @Test(
    "a whole line that makes no sense is reported and skipped",
    arguments: [
      "start", "start worker=a", "start cookie=c", "start worker= cookie=c",
      "start worker=a cookie=c pid=1 time=5",
      "start worker=a cookie=c pid=0 time=5", "start worker=a cookie=c pid=-1 time=5",
      "start worker=a cookie=c pid=5", "start worker=a cookie=c time=5",
      "start worker=a cookie=c pid=99999999999 time=5", "start worker=a cookie=c pid=5 time=-5",
      "start worker=a cookie=c port=0", "start worker=a cookie=c port=65536",
      "start worker=a cookie=c cgroup=",
      "start worker=a cookie=c cgroup=/" + String(repeating: "x/", count: 2048),
      "start worker=a%00b cookie=c", "start worker=%ff cookie=c", "start worker=a cookie=c%00",
      "start worker=a worker=b cookie=c", "start worker=a cookie=c junk", "start worker=a cookie=%zz",
      "start worker=a cookie=%4", "end", "end worker=", "begin worker=a",
    ])
  func nonsense(_ text: String) {
    let reading = self.parse(
      LedgerText.whole(self.full) + self.line(text) + LedgerText.ended(worker: "gamma"))
    #expect(reading.problems.count == 1 && reading.problems[0].hasPrefix("line 5 "), "\(reading.problems)")
    var expected = self.full
    expected.ended(worker: "gamma")
    #expect(reading.ledger == expected)
  }

  @Test func aFieldOfALaterVersionIsSkipped() {
    let reading = self.parse(
      LedgerText.header(self.header) + self.line("start later=1 cookie=c worker=a colour=blue"))
    #expect(reading.problems.isEmpty)
    #expect(reading.ledger?["a"] == Ledger.Entry(worker: "a", cookie: "c"))
    #expect(
      self.parse(self.line("procctl-ledger version=2 boot=b namespace=0 pid=5 time=5 configuration=c")).ledger
        == nil)
  }

  @Test("damage is never believed", arguments: 1...8 as ClosedRange<UInt64>)
  func fuzz(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let original = Array((LedgerText.whole(self.full) + LedgerText.ended(worker: "alpha")).utf8)
    var believed = Ledger(header: self.header, entries: self.full.entries)
    believed.ended(worker: "alpha")
    var reported = 0
    for _ in 0..<1500 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let position = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
        case 2: bytes.remove(at: position)
        default: bytes.removeSubrange(position..<min(bytes.count, position + 40))
        }
        if bytes.isEmpty { break }
      }
      let reading = LedgerText.parse(bytes)
      if !reading.problems.isEmpty { reported += 1 }
      guard let ledger = reading.ledger else { continue }
      #expect(ledger.header == self.header)
      // Lines may be lost; those that count are those that were written.
      for entry in ledger.entries {
        #expect(self.full.entries.contains(entry) || believed.entries.contains(entry), "\(entry)")
      }
    }
    #expect(reported > 1000, "\(reported)")
  }

  @Test("any bytes are read without harm", arguments: 1...4 as ClosedRange<UInt64>)
  func noise(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<500 {
      let bytes = (0..<Int.random(in: 0...400, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      #expect(LedgerText.parse(bytes).ledger == nil)
      #expect(
        LedgerText.parse(Array(LedgerText.header(self.header).utf8) + bytes).ledger?.entries.isEmpty == true)
    }
  }
}
