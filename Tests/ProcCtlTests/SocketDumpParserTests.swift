import CProcCtl
import ProcCtl
import SeededRandom
import SystemPackage
import Testing

@Suite("The parser of socket dumps")
struct SocketDumpParserTests {
  /// A netlink message with its header, padded to 4 bytes.
  static func message(
    type: Int32, flags: UInt16 = 0, sequence: UInt32 = 7, payload: [UInt8], length: UInt32? = nil
  ) -> [UInt8] {
    var header = nlmsghdr()
    header.nlmsg_len = length ?? UInt32(MemoryLayout<nlmsghdr>.size + payload.count)
    header.nlmsg_type = UInt16(type)
    header.nlmsg_flags = flags
    header.nlmsg_seq = sequence
    var bytes = withUnsafeBytes(of: &header) { Array($0) } + payload
    while bytes.count % 4 != 0 { bytes.append(0) }
    return bytes
  }

  static func entry(
    family: Int32 = AF_INET, state: UInt8 = 10, address: [UInt8] = [127, 0, 0, 1], port: UInt16 = 8081,
    inode: UInt32 = 4711, onlyV6: Bool? = nil
  ) -> [UInt8] {
    var message = inet_diag_msg()
    message.idiag_family = UInt8(family)
    message.idiag_state = state
    message.id.idiag_sport = port.bigEndian
    withUnsafeMutableBytes(of: &message.id.idiag_src) { $0.copyBytes(from: address) }
    message.idiag_uid = 33
    message.idiag_inode = inode
    var bytes = withUnsafeBytes(of: &message) { Array($0) }
    if let onlyV6 {
      // An attribute nobody asked for stands in front.
      for (type, value) in [(Int(INET_DIAG_SHUTDOWN), UInt8(9)), (Int(INET_DIAG_SKV6ONLY), onlyV6 ? 1 : 0)] {
        var attribute = nlattr(nla_len: 5, nla_type: UInt16(type))
        bytes += withUnsafeBytes(of: &attribute) { Array($0) } + [value, 0, 0, 0]
      }
    }
    return Self.message(type: SOCK_DIAG_BY_FAMILY, payload: bytes)
  }

  static let done = Self.message(type: NLMSG_DONE, payload: [0, 0, 0, 0])

  static func number(_ value: Int32) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  func parse(
    _ datagrams: [[UInt8]], ports: Set<UInt16> = [], states: SocketStates = .all
  ) -> (SocketDumpParser.Progress, [SocketEntry]) {
    var parser = SocketDumpParser(sequence: 7, ports: ports, states: states)
    var progress = SocketDumpParser.Progress.more
    for datagram in datagrams where progress == .more {
      progress = datagram.withUnsafeBytes { parser.consume($0) }
    }
    return (progress, parser.entries)
  }

  @Test("reads entries over several datagrams until the end")
  func entries() throws {
    let v6 = Self.entry(
      family: AF_INET6, state: 1, address: [0x20, 1, 0xd, 0xb8] + Array(repeating: 0, count: 11) + [1],
      port: 443, onlyV6: true)
    let (progress, entries) = self.parse([Self.entry() + v6, Self.entry(port: 9000), Self.done])
    #expect(progress == .complete)
    try #require(entries.count == 3)
    #expect(entries[0].localAddress.description == "127.0.0.1")
    #expect(entries[0].localPort == 8081)
    #expect(entries[0].state == .listen)
    #expect(entries[0].inode == 4711)
    #expect(entries[0].uid == 33)
    #expect(entries[0].acceptsOnlyV6 == nil)
    #expect(entries[1].localAddress.description == "2001:db8::1")
    #expect(entries[1].state == .established)
    #expect(entries[1].acceptsOnlyV6 == true)
    #expect(entries[2].localPort == 9000)
  }

  @Test("keeps only the ports and states asked for")
  func filter() {
    let datagrams = [
      Self.entry(port: 1) + Self.entry(port: 2) + Self.entry(state: 6, port: 2), Self.done,
    ]
    #expect(self.parse(datagrams, ports: [2], states: .listen).1.map(\.localPort) == [2])
    #expect(self.parse(datagrams, ports: [2]).1.map(\.state) == [.listen, .timeWait])
    #expect(self.parse(datagrams).1.count == 3)
  }

  @Test("a closed socket is one that is bound and no more")
  func bound() {
    #expect(self.parse([Self.entry(state: 7), Self.done], states: .bound).1.map(\.state) == [.bound])
  }

  @Test("skips what belongs to another request, unknown kinds, families and states")
  func skips() {
    var other = Self.entry()
    other[8] = 6  // The sequence number.
    let datagram =
      other + Self.message(type: 99, payload: [1, 2, 3, 4]) + Self.entry(family: AF_UNIX)
      + Self.entry(state: 77) + Self.message(type: NLMSG_NOOP, payload: []) + Self.entry()
    let (progress, entries) = self.parse([datagram, Self.done])
    #expect(progress == .complete)
    #expect(entries.count == 1)
  }

  @Test("reports a refusal as its errno, from an error and from the end of the dump")
  func refusal() {
    let padding = [UInt8](repeating: 0, count: 16)
    let error = Self.message(type: NLMSG_ERROR, payload: Self.number(-1) + padding)
    #expect(self.parse([error]).0 == .refused(.notPermitted))
    let done = Self.message(type: NLMSG_DONE, payload: Self.number(-22))
    #expect(self.parse([Self.entry() + done]).0 == .refused(.invalidArgument))
    let nonsense = Self.message(type: NLMSG_ERROR, payload: Self.number(5) + padding)
    guard case .malformed = self.parse([nonsense]).0 else {
      Issue.record("a positive error was taken for one")
      return
    }
  }

  @Test("a dump the table changed under is incomplete, even if only one message says so")
  func interrupted() {
    var first = Self.entry()
    first[6] = UInt8(NLM_F_DUMP_INTR)
    #expect(self.parse([first, Self.entry(), Self.done]).0 == .interrupted)
    #expect(self.parse([Self.entry(), Self.entry(), Self.done]).0 == .complete)
  }

  @Test(
    "refuses lengths that do not fit",
    arguments: [
      Self.message(type: SOCK_DIAG_BY_FAMILY, payload: [1, 2, 3, 4], length: 8),
      Self.message(type: SOCK_DIAG_BY_FAMILY, payload: [1, 2, 3, 4], length: 4096),
      Self.message(type: SOCK_DIAG_BY_FAMILY, payload: [1, 2, 3, 4], length: .max),
      Self.message(type: SOCK_DIAG_BY_FAMILY, payload: [1, 2, 3, 4]),
      Self.message(type: NLMSG_ERROR, payload: [255, 255, 255, 255]),
      Self.message(type: NLMSG_OVERRUN, payload: []),
      Array(Self.entry().dropLast(4)),
      Self.entry() + [1, 2, 3, 4],
    ])
  func malformed(datagram: [UInt8]) {
    guard case .malformed = self.parse([datagram]).0 else {
      Issue.record("\(datagram) was taken for an answer")
      return
    }
  }

  @Test("a dump that ends without its end is not complete")
  func noEnd() {
    #expect(self.parse([Self.entry()]).0 == .more)
    #expect(self.parse([[]]).0 == .more)
  }

  @Test("survives garbage and damaged answers", arguments: [1, 2, 3, 4] as [UInt64])
  func garbage(seed: UInt64) {
    var numbers = SeededRandom(seed: seed)
    let valid =
      Self.entry() + Self.entry(family: AF_INET6, address: [], onlyV6: false) + Self.entry(port: 1)
    var outcomes: Set<String> = []
    for round in 0..<5000 {
      var datagram: [UInt8]
      if round % 4 == 0 {
        datagram = (0..<Int.random(in: 0...200, using: &numbers)).map { _ in
          UInt8.random(in: 0...255, using: &numbers)
        }
      } else {
        datagram = valid
        for _ in 0..<Int.random(in: 1...6, using: &numbers) {
          let place = Int.random(in: 0..<datagram.count, using: &numbers)
          datagram[place] = UInt8.random(in: 0...255, using: &numbers)
        }
        if round % 3 == 0 { datagram.removeLast(Int.random(in: 1...100, using: &numbers)) }
      }
      let (progress, entries) = self.parse([datagram], ports: [8081])
      #expect(entries.count <= 3)
      #expect(entries.allSatisfy { $0.localPort == 8081 })
      outcomes.insert(String("\(progress)".prefix(4)))
    }
    // The damage reached more than one branch.
    #expect(outcomes.isSuperset(of: ["more", "malf"]))
  }
}

@Suite("The text of /proc/net/tcp")
struct SocketProcNetTableTests {
  private static let v4 = """
      sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
       0: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 4711 1 0 100 0 0 10 0
       1: 0100007F:1F91 0200007F:C350 06 00000000:00000000 03:00000AD2 00000000     0        0 0 3 0
    """

  @Test("reads listeners and TIME_WAIT")
  func entries() throws {
    let entries = ProcNetTable.entries(Self.v4.utf8, family: .v4)
    try #require(entries.count == 2)
    #expect(entries[0].localAddress == .loopbackV4)
    #expect(entries[0].localPort == 8081)
    #expect(entries[0].state == .listen)
    #expect(entries[0].uid == 33)
    #expect(entries[0].inode == 4711)
    #expect(entries[1].state == .timeWait)
    #expect(entries[1].remoteAddress.description == "127.0.0.2")
    #expect(entries[1].remotePort == 50000)
  }

  @Test("reads IPv6, whose words are in the machine's order")
  func v6() {
    let line =
      "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 7 0 99 1"
    let entries = ProcNetTable.entries(line.utf8, family: .v6)
    #expect(entries.map(\.localAddress) == [.loopbackV6])
    #expect(entries.map(\.inode) == [99])
  }

  @Test(
    "skips lines that are cut off or not as they should be",
    arguments: [
      "", "\n\n", "   0: 0100007F:1F91 00000000:0000 0A", "   0: 0100007F 00000000:0000 0A 0 0 0 1 0 2",
      "   0: 0100007G:1F91 00000000:0000 0A 0:0 0:0 0 33 0 4711",
      "   0: +100007F:1F91 00000000:0000 0A 0 0 0 1 0 2",
      "   0: 0100007F:1F91 00000000:0000 FF 0:0 0:0 0 33 0 4711",
      "   0: 0100007F:1F91 00000000:0000 0A 0:0 0:0 0 -3 0 4711",
      "   0: 0100007F:1F91F 00000000:0000 0A 0:0 0:0 0 3 0 4711",
    ])
  func skips(line: String) {
    #expect(ProcNetTable.entries(line.utf8, family: .v4).isEmpty)
  }

  @Test("survives damage", arguments: [1, 2, 3] as [UInt64])
  func garbage(seed: UInt64) {
    var numbers = SeededRandom(seed: seed)
    var survived = 0
    for _ in 0..<2000 {
      var text = Array(Self.v4.utf8)
      for _ in 0..<Int.random(in: 1...8, using: &numbers) {
        text[Int.random(in: 0..<text.count, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
      }
      let entries = ProcNetTable.entries(text, family: .v4)
      #expect(entries.count <= 4)
      survived += entries.count
    }
    #expect(survived > 0)
  }
}
