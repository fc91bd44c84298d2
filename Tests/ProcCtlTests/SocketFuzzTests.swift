import CProcCtl
import ProcCtl
import SeededRandom
import SystemPackage
import Testing

@Suite("Fuzzing socket tables")
struct SocketFuzzTests {
  private static func address(_ family: InternetAddress.Family, _ random: inout SeededRandom)
    -> InternetAddress
  {
    let count = family == .v4 ? 4 : 16
    let bytes = random.chance(30) ? [UInt8](repeating: 0, count: count) : random.bytes(count...count)
    return InternetAddress(rawBytes: bytes) ?? .anyV4
  }

  private static func entry(_ random: inout SeededRandom) -> SocketEntry {
    let family = random.chance(50) ? InternetAddress.Family.v4 : .v6
    return SocketEntry(
      state: SocketState(rawValue: UInt8.random(in: 1...11, using: &random)) ?? .listen,
      localAddress: Self.address(family, &random), localPort: UInt16.random(in: 0 ... .max, using: &random),
      remoteAddress: Self.address(family, &random), remotePort: UInt16.random(in: 0 ... .max, using: &random),
      inode: UInt32.random(in: 0 ... .max, using: &random), uid: UInt32.random(in: 0 ... .max, using: &random)
    )
  }

  private static func hexadecimal(_ number: some FixedWidthInteger, _ digits: Int) -> String {
    let text = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  private static func line(_ entry: SocketEntry) -> String {
    func endpoint(_ address: InternetAddress, _ port: UInt16) -> String {
      let bytes = address.rawBytes
      let words = stride(from: 0, to: bytes.count, by: 4).map { start in
        bytes[start..<start + 4].withUnsafeBytes { Self.hexadecimal($0.loadUnaligned(as: UInt32.self), 8) }
      }
      return words.joined() + ":" + Self.hexadecimal(port, 4)
    }
    return " 0: \(endpoint(entry.localAddress, entry.localPort)) "
      + "\(endpoint(entry.remoteAddress, entry.remotePort)) \(Self.hexadecimal(entry.state.rawValue, 2)) "
      + "00000000:00000000 00:00000000 00000000 \(entry.uid) 0 \(entry.inode) 1 0000000000000000 100 0 0 10 0\n"
  }

  private static let damage = Damage(tokens: [
    " ", "\n", ":", "0A", "0100007F:1F90", "FFFFFFFF", "sl  local_address",
  ])

  @Test("A line of /proc/net/tcp says what was printed")
  func table() {
    let failures = FuzzRun.failures("proc-net-tcp", cases: 2000) { random in
      let entries = (0..<Int.random(in: 0...5, using: &random)).map { _ in Self.entry(&random) }
      for family in [InternetAddress.Family.v4, .v6] {
        let ofFamily = entries.filter { $0.localAddress.family == family }
        let text = Array(("  sl  local_address rem_address   st\n" + ofFamily.map(Self.line).joined()).utf8)
        let read = ProcNetTable.entries(text, family: family)
        if read != ofFamily { return "\(ofFamily) reads as \(read)" }
        let damaged = Self.damage.apply(to: text, using: &random)
        let survivors = ProcNetTable.entries(damaged, family: family)
        guard survivors.count <= damaged.count(where: { $0 == 0x0A }) + 1,
          survivors.allSatisfy({ ProcNetTable.entries(Array(Self.line($0).utf8), family: family) == [$0] })
        else { return "\(damaged)" }
      }
      return nil
    }
    #expect(failures == [])
  }

  @Test("A dump says what the kernel said, and a damaged one never more than fits into it")
  func dump() {
    let failures = FuzzRun.failures("socket-dump", cases: 4000) { random in
      let entries = (0..<Int.random(in: 0...4, using: &random)).map { _ in Self.entry(&random) }
      let messages = entries.flatMap { entry in
        SocketDumpParserTests.entry(
          family: entry.localAddress.family == .v4 ? AF_INET : AF_INET6,
          state: entry.state == .bound ? 7 : entry.state.rawValue, address: entry.localAddress.rawBytes,
          port: entry.localPort, inode: entry.inode)
      }
      let datagram = messages + SocketDumpParserTests.done
      var parser = SocketDumpParser(sequence: 7, ports: [], states: .all)
      let progress = datagram.withUnsafeBytes { parser.consume($0) }
      let expected = entries.map { "\($0.localAddress) \($0.localPort) \($0.inode)" }
      let read = parser.entries.map { "\($0.localAddress) \($0.localPort) \($0.inode)" }
      guard progress == .complete, read == expected else {
        return "\(expected) reads as \(read), \(progress)"
      }

      let damaged = Self.damage.apply(to: datagram, using: &random)
      var second = SocketDumpParser(sequence: 7, ports: [], states: .all)
      _ = damaged.withUnsafeBytes { second.consume($0) }
      return second.entries.count <= damaged.count / MemoryLayout<inet_diag_msg>.size ? nil : "\(damaged)"
    }
    #expect(failures == [])
  }

  @Test("An address is read as it is printed")
  func addresses() {
    let failures = FuzzRun.failures("internet-address", cases: 2000) { random in
      let address = Self.address(random.chance(50) ? .v4 : .v6, &random)
      guard InternetAddress(address.description) == address else { return "\(address)" }
      let damaged = Self.damage.apply(to: Array(address.description.utf8), using: &random)
      guard let read = InternetAddress(String(decoding: damaged, as: UTF8.self)) else { return nil }
      return InternetAddress(read.description) == read ? nil : "\(damaged)"
    }
    #expect(failures == [])
  }
}
