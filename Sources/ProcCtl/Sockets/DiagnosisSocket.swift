internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// A netlink socket to the kernel's diagnosis of sockets (sock_diag(7)). The kernel answers within the call;
/// a lost answer must not hang the caller, and is an error after five seconds.
struct DiagnosisSocket: ~Copyable {
  private static let answerLimitSeconds: Int32 = 5

  private let descriptor: FileDescriptor

  /// - Throws: `Errno` as socket(2) and setsockopt(2) give it.
  init() throws(Errno) {
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

  /// Sends as much of the request as its header says.
  func send(_ request: cprocctl_inet_diag_range_request) throws(Errno) {
    var request = request
    let size = Int(request.header.nlmsg_len)
    while Glibc.send(self.descriptor.rawValue, &request, size, 0) < 0 {
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
  }

  /// Receives the kernel's next datagram.
  ///
  /// - Returns: Its true length, which is more than the buffer's if it was cut off (MSG_TRUNC).
  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    while true {
      var sender = sockaddr_nl()
      var senderLength = socklen_t(MemoryLayout<sockaddr_nl>.size)
      let count = withUnsafeMutablePointer(to: &sender) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          recvfrom(
            self.descriptor.rawValue, buffer.baseAddress, buffer.count, Int32(MSG_TRUNC), $0, &senderLength)
        }
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw Errno(rawValue: errno)
      }
      // Any process may send to a netlink socket; only port 0 is the kernel.
      if sender.nl_pid == 0 { return count }
    }
  }
}
