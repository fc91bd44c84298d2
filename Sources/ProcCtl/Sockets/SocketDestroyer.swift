internal import CProcCtl
internal import Glibc
package import SystemPackage

/// Asks the kernel to abort TCP sockets of other processes (sock_diag(7), SOCK_DESTROY): their owners
/// see ECONNABORTED, the other ends a reset, and nothing stays in TIME_WAIT.
///
/// Takes CAP_NET_ADMIN and a kernel with CONFIG_INET_DIAG_DESTROY. Synchronous: the kernel answers within
/// the call. May be used from any thread, by one at a time.
package struct SocketDestroyer: ~Copyable {
  private static let answerLimitSeconds: Int32 = 5

  private let descriptor: FileDescriptor
  private var sequence: UInt32 = 0

  /// - Throws: `Errno` as socket(2) and setsockopt(2) give it.
  package init() throws(Errno) {
    let number = socket(
      AF_NETLINK, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
    guard number >= 0 else { throw Errno(rawValue: errno) }
    guard cprocctl_set_receive_timeout(number, Self.answerLimitSeconds) == 0 else {
      let error = Errno(rawValue: errno)
      close(number)
      throw error
    }
    self.descriptor = FileDescriptor(rawValue: number)
  }

  deinit {
    close(self.descriptor.rawValue)
  }

  /// Destroys that very socket: by its cookie, so that no later one with the same addresses is met.
  ///
  /// - Returns: Whether it was there still.
  /// - Throws: `Errno`: `.notPermitted` without CAP_NET_ADMIN, `.notSupportedOnSocket` (EOPNOTSUPP) where
  ///   the kernel cannot, `.invalidArgument` for an entry without a cookie.
  package mutating func destroy(_ entry: SocketEntry) throws(Errno) -> Bool {
    guard let cookie = entry.cookie else { throw .invalidArgument }
    self.sequence &+= 1
    try self.send(Self.request(entry, cookie: cookie, sequence: self.sequence))
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

  private func send(_ request: cprocctl_inet_diag_range_request) throws(Errno) {
    var request = request
    while Glibc.send(self.descriptor.rawValue, &request, Self.requestSize, 0) < 0 {
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
  }

  /// The error number in the kernel's answer to the last request; 0 for success.
  private func answer() throws(Errno) -> Int32 {
    var answer = [UInt8](repeating: 0, count: 4096)
    let codeOffset = MemoryLayout<nlmsghdr>.size
    while true {
      var sender = sockaddr_nl()
      var senderLength = socklen_t(MemoryLayout<sockaddr_nl>.size)
      let count = withUnsafeMutablePointer(to: &sender) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          recvfrom(self.descriptor.rawValue, &answer, answer.count, 0, $0, &senderLength)
        }
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw Errno(rawValue: errno)
      }
      // Any process may send to a netlink socket; only port 0 is the kernel.
      guard sender.nl_pid == 0, count >= codeOffset + MemoryLayout<Int32>.size else { continue }
      let code = answer.withUnsafeBytes { bytes -> Int32? in
        let header = bytes.loadUnaligned(as: nlmsghdr.self)
        guard header.nlmsg_type == UInt16(NLMSG_ERROR), header.nlmsg_seq == self.sequence else { return nil }
        return bytes.loadUnaligned(fromByteOffset: codeOffset, as: Int32.self)
      }
      if let code { return code <= 0 && code > -4096 ? -code : EPROTO }
    }
  }
}
