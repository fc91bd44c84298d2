internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Asks the kernel to destroy a socket that listens for this purpose only, and that nobody else knows.
///
/// A socket that does not exist would not do: the kernel looks for it before it looks at our rights.
enum SocketDestroyTrial {
  /// Why sockets cannot be destroyed; nil if they can.
  static func obstacle() -> String? {
    let victim = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard victim >= 0 else { return "\(Errno(rawValue: errno))" }
    defer { close(victim) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(victim, $0, length) == 0 && listen(victim, 1) == 0 && getsockname(victim, $0, &length) == 0
      }
    }
    guard isListening else { return "\(Errno(rawValue: errno))" }

    let netlink = socket(
      AF_NETLINK, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
    guard netlink >= 0 else { return "\(Errno(rawValue: errno))" }
    defer { close(netlink) }
    guard cprocctl_set_receive_timeout(netlink, 5) == 0 else { return "\(Errno(rawValue: errno))" }
    switch self.destroy(address, by: netlink) {
    case 0: return nil
    case EPERM: return "needs CAP_NET_ADMIN"
    case EOPNOTSUPP: return "a kernel with CONFIG_INET_DIAG_DESTROY has it"
    case let error: return "\(Errno(rawValue: error))"
    }
  }

  private static func destroy(_ address: sockaddr_in, by netlink: Int32) -> Int32 {
    let size = MemoryLayout<nlmsghdr>.size + MemoryLayout<inet_diag_req_v2>.size
    var request = cprocctl_inet_diag_range_request()
    request.header.nlmsg_len = UInt32(size)
    request.header.nlmsg_type = UInt16(SOCK_DESTROY)
    request.header.nlmsg_flags = UInt16(NLM_F_REQUEST) | UInt16(NLM_F_ACK)
    request.header.nlmsg_seq = 1
    request.request.sdiag_family = UInt8(AF_INET)
    request.request.sdiag_protocol = UInt8(IPPROTO_TCP)
    request.request.idiag_states = .max
    request.request.id.idiag_sport = address.sin_port
    request.request.id.idiag_src.0 = address.sin_addr.s_addr
    // Any cookie (INET_DIAG_NOCOOKIE).
    request.request.id.idiag_cookie = (.max, .max)
    guard send(netlink, &request, size, 0) == size else { return errno }
    var answer = [UInt8](repeating: 0, count: 4096)
    let count = recv(netlink, &answer, answer.count, 0)
    guard count >= 0 else { return errno }
    let codeOffset = MemoryLayout<nlmsghdr>.size
    guard count >= codeOffset + MemoryLayout<Int32>.size else { return EPROTO }
    return answer.withUnsafeBytes { bytes in
      let header = bytes.loadUnaligned(as: nlmsghdr.self)
      guard header.nlmsg_type == UInt16(NLMSG_ERROR) else { return EPROTO }
      return -bytes.loadUnaligned(fromByteOffset: codeOffset, as: Int32.self)
    }
  }
}
