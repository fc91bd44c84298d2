internal import CProcCtl
internal import Glibc
package import SystemPackage

/// Asks the kernel to abort TCP sockets of other processes (sock_diag(7), SOCK_DESTROY): their owners
/// see ECONNABORTED, the other ends a reset, and nothing stays in TIME_WAIT.
///
/// Takes CAP_NET_ADMIN and a kernel with CONFIG_INET_DIAG_DESTROY. Synchronous: the kernel answers within
/// the call. May be used from any thread, by one at a time.
package struct SocketDestroyer: ~Copyable {
  private let socket: DiagnosisSocket
  private var sequence: UInt32 = 0

  /// - Throws: `Errno` as socket(2) and setsockopt(2) give it.
  package init() throws(Errno) {
    self.socket = try DiagnosisSocket()
  }

  /// Destroys that very socket: by its cookie, so that no later one with the same addresses is met.
  ///
  /// - Returns: Whether it was there still.
  /// - Throws: `Errno`: `.notPermitted` without CAP_NET_ADMIN, `.notSupportedOnSocket` (EOPNOTSUPP) where
  ///   the kernel cannot, `.invalidArgument` for an entry without a cookie.
  package mutating func destroy(_ entry: SocketEntry) throws(Errno) -> Bool {
    guard let cookie = entry.cookie else { throw .invalidArgument }
    self.sequence &+= 1
    try self.socket.send(Self.request(entry, cookie: cookie, sequence: self.sequence))
    switch try self.answer() {
    case 0: return true
    case ENOENT: return false
    case let code: throw Errno(rawValue: code)
    }
  }

  private static func request(
    _ entry: SocketEntry, cookie: UInt64, sequence: UInt32
  ) -> cprocctl_inet_diag_range_request {
    var request = cprocctl_inet_diag_range_request()
    request.header.nlmsg_len = UInt32(Self.requestSize)
    request.header.nlmsg_type = UInt16(SOCK_DESTROY)
    request.header.nlmsg_flags = UInt16(NLM_F_REQUEST) | UInt16(NLM_F_ACK)
    request.header.nlmsg_seq = sequence
    request.request.sdiag_family = UInt8(entry.family == .v4 ? AF_INET : AF_INET6)
    request.request.sdiag_protocol = UInt8(IPPROTO_TCP)
    request.request.idiag_states = SocketStates.all.rawValue
    request.request.id.idiag_sport = entry.localPort.bigEndian
    request.request.id.idiag_dport = entry.remotePort.bigEndian
    withUnsafeMutableBytes(of: &request.request.id.idiag_src) {
      $0.copyBytes(from: entry.localAddress.rawBytes)
    }
    withUnsafeMutableBytes(of: &request.request.id.idiag_dst) {
      $0.copyBytes(from: entry.remoteAddress.rawBytes)
    }
    request.request.id.idiag_if = entry.interface
    request.request.id.idiag_cookie = (
      UInt32(truncatingIfNeeded: cookie), UInt32(truncatingIfNeeded: cookie >> 32)
    )
    return request
  }

  private static let requestSize = MemoryLayout<nlmsghdr>.size + MemoryLayout<inet_diag_req_v2>.size

  /// The error number in the kernel's answer to the last request; 0 for success.
  private func answer() throws(Errno) -> Int32 {
    let answer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { answer.deallocate() }
    let codeOffset = MemoryLayout<nlmsghdr>.size
    while true {
      guard try self.socket.receive(into: answer) >= codeOffset + MemoryLayout<Int32>.size else { continue }
      let header = answer.loadUnaligned(as: nlmsghdr.self)
      guard header.nlmsg_type == UInt16(NLMSG_ERROR), header.nlmsg_seq == self.sequence else { continue }
      let code = answer.loadUnaligned(fromByteOffset: codeOffset, as: Int32.self)
      return code <= 0 && code > -4096 ? -code : EPROTO
    }
  }
}
