internal import CProcCtl
package import SystemPackage

/// Reads the answer to a sock_diag(7) dump, datagram by datagram. No I/O: bytes
/// in, entries out, and every length is checked against the bytes at hand.
package struct SocketDumpParser: Sendable {
  /// How far the dump has come.
  package enum Progress: Hashable, Sendable {
    /// The kernel has more to say.
    case more
    case complete
    /// The table changed under the dump so that entries may be missing
    /// (NLM_F_DUMP_INTR): ask again.
    case interrupted
    /// The kernel refused.
    case refused(Errno)
    /// What came is no netlink answer, or was cut off.
    case malformed(String)
  }

  /// What has been read so far.
  package private(set) var entries: [SocketEntry] = []

  private let sequence: UInt32
  private let ports: Set<UInt16>
  private let states: SocketStates
  private var wasInterrupted = false

  /// - Parameters:
  ///   - sequence: The number given to the request; answers to others are skipped.
  ///   - ports: The local ports wanted; empty for all.
  ///   - states: The states wanted. The kernel filters too, but not by a set of ports.
  package init(sequence: UInt32, ports: Set<UInt16>, states: SocketStates) {
    self.sequence = sequence
    self.ports = ports
    self.states = states
  }

  /// Reads one datagram: netlink messages, each aligned to 4 bytes (netlink(7)).
  package mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Progress {
    let headerSize = MemoryLayout<nlmsghdr>.size
    var offset = 0
    while bytes.count - offset >= headerSize {
      let header = bytes.loadUnaligned(fromByteOffset: offset, as: nlmsghdr.self)
      let length = Int(header.nlmsg_len)
      guard length >= headerSize, length <= bytes.count - offset else {
        return .malformed("a netlink message of \(length) bytes where \(bytes.count - offset) remain")
      }
      let payload = UnsafeRawBufferPointer(rebasing: bytes[(offset + headerSize)..<(offset + length)])
      offset += Self.aligned(length)
      guard header.nlmsg_seq == self.sequence else { continue }
      if header.nlmsg_flags & UInt16(NLM_F_DUMP_INTR) != 0 { self.wasInterrupted = true }
      if let end = self.consume(payload, ofType: header.nlmsg_type) { return end }
    }
    // Padding may be left out after the last message, so the offset may pass the end.
    guard offset >= bytes.count else { return .malformed("\(bytes.count - offset) stray bytes") }
    return .more
  }

  /// Reads one message; nil if the dump goes on.
  private mutating func consume(_ payload: UnsafeRawBufferPointer, ofType type: UInt16) -> Progress? {
    switch Int32(type) {
    case NLMSG_NOOP: return nil
    case NLMSG_OVERRUN: return .malformed("the kernel dropped data (NLMSG_OVERRUN)")
    case NLMSG_ERROR:
      guard payload.count >= MemoryLayout<nlmsgerr>.size else { return .malformed("a short NLMSG_ERROR") }
      return Self.refusal(payload.loadUnaligned(as: Int32.self))
    case NLMSG_DONE:
      // Carries the dump's result, except from kernels too old to have one.
      if payload.count >= MemoryLayout<Int32>.size {
        let result = payload.loadUnaligned(as: Int32.self)
        if result < 0 { return Self.refusal(result) }
      }
      return self.wasInterrupted ? .interrupted : .complete
    case SOCK_DIAG_BY_FAMILY:
      guard payload.count >= MemoryLayout<inet_diag_msg>.size else {
        return .malformed("a socket entry of \(payload.count) bytes")
      }
      if let entry = Self.entry(payload), self.wants(entry) { self.entries.append(entry) }
      return nil
    default: return nil  // A kind this code does not know says nothing it needs.
    }
  }

  private static func refusal(_ result: Int32) -> Progress {
    guard result < 0, result >= -4095 else { return .malformed("an error message with result \(result)") }
    return .refused(Errno(rawValue: -result))
  }

  private func wants(_ entry: SocketEntry) -> Bool {
    self.states.contains(state: entry.state)
      && (self.ports.isEmpty || self.ports.contains(entry.localPort))
  }

  /// Nil for a family or state that is not TCP over IP as we know it.
  private static func entry(_ payload: UnsafeRawBufferPointer) -> SocketEntry? {
    var message = payload.loadUnaligned(as: inet_diag_msg.self)
    let addressLength: Int
    switch Int32(message.idiag_family) {
    case AF_INET: addressLength = 4
    case AF_INET6: addressLength = 16
    default: return nil
    }
    guard let state = Self.state(message.idiag_state),
      let local = withUnsafeBytes(
        of: &message.id.idiag_src, { InternetAddress(rawBytes: $0.prefix(addressLength)) }),
      let remote = withUnsafeBytes(
        of: &message.id.idiag_dst, { InternetAddress(rawBytes: $0.prefix(addressLength)) })
    else { return nil }
    let attributes = UnsafeRawBufferPointer(
      rebasing: payload[min(Self.aligned(MemoryLayout<inet_diag_msg>.size), payload.count)...])
    return SocketEntry(
      state: state, localAddress: local, localPort: UInt16(bigEndian: message.id.idiag_sport),
      remoteAddress: remote, remotePort: UInt16(bigEndian: message.id.idiag_dport),
      inode: message.idiag_inode, uid: message.idiag_uid,
      acceptsOnlyV6: Self.onlyV6(attributes),
      cookie: UInt64(message.id.idiag_cookie.0) | UInt64(message.id.idiag_cookie.1) << 32,
      interface: message.id.idiag_if)
  }

  /// Asked for by a bit of its own, a bound socket is reported as closed; no
  /// other closed socket is in the kernel's tables.
  private static func state(_ number: UInt8) -> SocketState? {
    let state = SocketState(rawValue: number)
    return state == .closed ? .bound : state
  }

  /// Looks for INET_DIAG_SKV6ONLY among the attributes; the rest is skipped.
  private static func onlyV6(_ attributes: UnsafeRawBufferPointer) -> Bool? {
    let headerSize = MemoryLayout<nlattr>.size
    var offset = 0
    while attributes.count - offset >= headerSize {
      let attribute = attributes.loadUnaligned(fromByteOffset: offset, as: nlattr.self)
      let length = Int(attribute.nla_len)
      guard length >= headerSize, length <= attributes.count - offset else { return nil }
      if Int(attribute.nla_type) == Int(INET_DIAG_SKV6ONLY), length > headerSize {
        return attributes[offset + headerSize] != 0
      }
      offset += Self.aligned(length)
    }
    return nil
  }

  private static func aligned(_ length: Int) -> Int { (length + 3) & ~3 }
}
