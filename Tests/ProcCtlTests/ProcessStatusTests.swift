import SeededRandom
import Testing

@testable import ProcCtl

@Suite struct ProcessStatusTests {
  private func line(name: String, state: String = "S", threads: Int = 1) -> [UInt8] {
    Array(
      "812 (\(name)) \(state) 1 800 801 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 \(threads) 0 123456 9 9 9\n".utf8)
  }

  @Test func readsTheFieldsThatMatter() throws {
    let status = try #require(ProcessStatus(parsing: self.line(name: "nginx")))
    #expect(status.identity.description == "812@123456")
    #expect(status.parent.value == 1)
    #expect(status.processGroup.value == 800)
    #expect(status.session.value == 801)
    #expect(!status.isDead)
  }

  @Test(arguments: [") Z 1 1", "a b", "((", "))", ") S 1 1 1 0 -1 0 (", "", "\n", "\u{1b}[2J"])
  func aNameMayHoldAnything(name: String) throws {
    let status = try #require(ProcessStatus(parsing: self.line(name: name)))
    #expect(status.name == ByteString(name))
    #expect(status.state == .sleeping)
    #expect(status.parent.value == 1)
  }

  @Test func aZombieLeaderWithLivingThreadsIsNotDead() throws {
    #expect(try #require(ProcessStatus(parsing: self.line(name: "x", state: "Z"))).isDead)
    #expect(try !#require(ProcessStatus(parsing: self.line(name: "x", state: "Z", threads: 3))).isDead)
  }

  @Test func refusesWhatIsNoStatusLine() {
    for text in ["", "812", "812 (x", "812 x)", "(x) S", "812 (x) S 1 2", ")812 (", "x (y) S 1 1 1"] {
      #expect(ProcessStatus(parsing: Array(text.utf8)) == nil, "\(text)")
    }
  }

  @Test func survivesGarbage() {
    var random = SeededRandom(seed: 1)
    let valid = self.line(name: "some name")
    for _ in 0..<20_000 {
      var bytes = valid
      for _ in 0..<(1 + random.next() % 6) {
        let position = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 3 {
        case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: position)
        default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
        }
      }
      _ = ProcessStatus(parsing: bytes)
    }
  }

  @Test func readsItself() throws {
    let kernel = LinuxKernel()
    let own = try #require(try kernel.status(of: kernel.selfIdentifier))
    #expect(own.processIdentifier == kernel.selfIdentifier)
    #expect(!own.isDead)
  }

  @Test(
    arguments: [
      ("0", 0), ("7", 7), ("-12", -12), ("2147483647", 2_147_483_647), ("12 ", 12), ("12\n", 12),
    ] as [(String, Int32?)])
  func readsDecimals(text: String, value: Int32?) {
    #expect(Int32(decimal: text.utf8) == value)
  }

  @Test(arguments: ["", "-", " 1", "1 2", "1a", "2147483648", "--1", "+1"])
  func refusesOtherDecimals(text: String) {
    #expect(Int32(decimal: text.utf8) == nil)
  }
}
