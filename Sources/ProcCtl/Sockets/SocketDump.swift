internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Asks the kernel for its socket table over a netlink socket (sock_diag(7)).
struct SocketDump: ~Copyable {
  /// What a dump of one family ended with.
  enum Outcome {
    case entries([SocketEntry])
    /// The kernel does not offer this here; another source has to do.
    case unavailable(Errno)
  }

  // A dump that something always changes is given up; inet_diag does not set the flag today.
  private static let attempts = 8
  // The kernel fills datagrams of up to 32 KiB.
  private static let bufferSize = 64 * 1024
  // By sandboxes, and by kernels built without the diagnosis module.
  private static let unavailable: [Errno] = [
    .notPermitted, .permissionDenied, .protocolNotSupported, .addressFamilyNotSupported,
    .noSuchFileOrDirectory, .notSupported, .noFunction,
  ]

  private let socket: DiagnosisSocket
  private var sequence: UInt32 = 0

  /// - Throws: `Errno` as socket(2) and setsockopt(2) give it.
  init() throws(Errno) {
    self.socket = try DiagnosisSocket()
  }

  static func isUnavailable(_ error: Errno) -> Bool { Self.unavailable.contains(error) }

  /// Reads the sockets of one family.
  mutating func read(
    _ family: InternetAddress.Family, ports: Set<UInt16>, states: SocketStates
  ) throws(ProcessError) -> Outcome {
    for _ in 0..<Self.attempts {
      self.sequence &+= 1
      var parser = SocketDumpParser(sequence: self.sequence, ports: ports, states: states)
      do {
        try self.socket.send(Self.request(family, ports: ports, states: states, sequence: self.sequence))
        switch try self.receive(into: &parser) {
        case .complete: return .entries(parser.entries)
        case .interrupted, .more: continue
        case .refused(let error):
          if Self.isUnavailable(error) { return .unavailable(error) }
          throw error
        case .malformed(let what):
          throw ProcessError(.sockets, doing: "read the socket table: \(what)")
        }
      } catch let error as ProcessError {
        throw error
      } catch let error as Errno {
        // The kernel had no room for an answer: what it has sent meanwhile
        // bears the old sequence number and is skipped.
        if error == .noBufferSpace { continue }
        if Self.isUnavailable(error) { return .unavailable(error) }
        throw ProcessError(.sockets, doing: "read the socket table", underlyingError: error)
      } catch {
        throw ProcessError(.sockets, doing: "read the socket table: \(error)")
      }
    }
    throw ProcessError(
      .sockets, doing: "read the socket table: it changed during each of \(Self.attempts) attempts")
  }

  private func receive(into parser: inout SocketDumpParser) throws(Errno) -> SocketDumpParser.Progress {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 8)
    defer { buffer.deallocate() }
    while true {
      let count = try self.socket.receive(into: buffer)
      guard count <= buffer.count else { return .malformed("a datagram of \(count) bytes was cut off") }
      let progress = parser.consume(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
      if progress != .more { return progress }
    }
  }

  private static func request(
    _ family: InternetAddress.Family, ports: Set<UInt16>, states: SocketStates, sequence: UInt32
  ) -> cprocctl_inet_diag_range_request {
    var request = cprocctl_inet_diag_range_request()
    request.header.nlmsg_type = UInt16(SOCK_DIAG_BY_FAMILY)
    request.header.nlmsg_flags = UInt16(NLM_F_REQUEST) | UInt16(NLM_F_DUMP)
    request.header.nlmsg_seq = sequence
    request.request.sdiag_family = UInt8(family == .v4 ? AF_INET : AF_INET6)
    request.request.sdiag_protocol = UInt8(IPPROTO_TCP)
    request.request.idiag_states = states.rawValue
    var size = MemoryLayout<nlmsghdr>.size + MemoryLayout<inet_diag_req_v2>.size
    // A worker's ports lie together, so a range keeps the kernel's answer
    // short; the parser picks the ports out of it.
    if let first = ports.min(), let last = ports.max() {
      let operationSize = UInt8(MemoryLayout<inet_diag_bc_op>.size)
      let total = 4 * operationSize
      func condition(_ code: Int, at offset: UInt8, _ port: UInt16) -> (inet_diag_bc_op, inet_diag_bc_op) {
        // A jump past the end by one operation means: not this socket.
        (
          inet_diag_bc_op(
            code: UInt8(code), yes: 2 * operationSize, no: UInt16(total - offset + operationSize)),
          inet_diag_bc_op(code: UInt8(INET_DIAG_BC_NOP), yes: 0, no: port)
        )
      }
      let least = condition(Int(INET_DIAG_BC_S_GE), at: 0, first)
      let greatest = condition(Int(INET_DIAG_BC_S_LE), at: 2 * operationSize, last)
      request.operations = (least.0, least.1, greatest.0, greatest.1)
      request.attribute.nla_type = UInt16(INET_DIAG_REQ_BYTECODE)
      request.attribute.nla_len = UInt16(MemoryLayout<nlattr>.size) + UInt16(total)
      size += Int(request.attribute.nla_len)
    }
    request.header.nlmsg_len = UInt32(size)
    return request
  }
}
