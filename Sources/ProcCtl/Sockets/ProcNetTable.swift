/// Reads the text of /proc/net/tcp and /proc/net/tcp6 (proc(5)). No I/O.
package enum ProcNetTable {
  /// The sockets in the text; the heading and lines that are not as they should
  /// be are skipped, for the file may end in the middle of one.
  package static func entries(_ text: some Sequence<UInt8>, family: InternetAddress.Family) -> [SocketEntry] {
    Array(text).split(separator: UInt8(ascii: "\n")).compactMap { Self.entry($0, family) }
  }

  private static func entry(_ line: ArraySlice<UInt8>, _ family: InternetAddress.Family) -> SocketEntry? {
    // sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode, …
    let fields = line.split(separator: UInt8(ascii: " "))
    guard fields.count >= 10, let (localAddress, localPort) = Self.endpoint(fields[1], family),
      let (remoteAddress, remotePort) = Self.endpoint(fields[2], family),
      let state = Self.hexadecimal(fields[3]).flatMap({ UInt8(exactly: $0) }).flatMap(
        SocketState.init(rawValue:)),
      let uid = UInt32(String(decoding: fields[7], as: UTF8.self)),
      let inode = UInt64(String(decoding: fields[9], as: UTF8.self))
    else { return nil }
    return SocketEntry(
      state: state, localAddress: localAddress, localPort: localPort, remoteAddress: remoteAddress,
      remotePort: remotePort, inode: UInt32(truncatingIfNeeded: inode), uid: uid)
  }

  /// `0100007F:1F90`: words of 32 bits in the machine's byte order, then the port.
  private static func endpoint(
    _ field: ArraySlice<UInt8>, _ family: InternetAddress.Family
  ) -> (InternetAddress, UInt16)? {
    let parts = field.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count == (family == .v4 ? 8 : 32), parts[1].count == 4,
      let port = Self.hexadecimal(parts[1])
    else { return nil }
    var bytes: [UInt8] = []
    var rest = parts[0]
    while !rest.isEmpty {
      guard let word = Self.hexadecimal(rest.prefix(8)) else { return nil }
      withUnsafeBytes(of: word) { bytes += $0 }
      rest = rest.dropFirst(8)
    }
    guard let address = InternetAddress(rawBytes: bytes) else { return nil }
    return (address, UInt16(truncatingIfNeeded: port))
  }

  /// One to eight digits, and nothing else: no sign, no space.
  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt32? {
    guard (1...8).contains(digits.count) else { return nil }
    var value: UInt32 = 0
    for digit in digits {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(digit - UInt8(ascii: "0"))
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(digit - UInt8(ascii: "A") + 10)
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(digit - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return value
  }
}
