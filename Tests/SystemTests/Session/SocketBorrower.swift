import CProcCtl
import Glibc

/// Takes over a listening socket from `test-workload lend-listener PORT PATH`:
/// a process outside of everything the tested one knows then has the port.
///
/// Used by one task at a time.
final class SocketBorrower: @unchecked Sendable {
  let path: String
  private let listener: Int32

  init(path: String) throws {
    self.path = path
    self.listener = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = self.listener
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
        bind(descriptor, raw, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
    guard bound, listen(descriptor, 4) == 0 else { throw WaitError("bind \(path): \(errno)") }
  }

  deinit { close(self.listener) }

  /// The socket that was lent; the caller closes it.
  func borrowed(within limit: Duration = .seconds(10)) async throws -> Int32 {
    guard try await readable([self.listener], by: Deadline(in: limit)) else {
      throw WaitError("nothing was lent")
    }
    let connection = accept(self.listener, nil, nil)
    guard connection >= 0 else { throw WaitError("accept: \(errno)") }
    defer { close(connection) }
    guard try await readable([connection], by: Deadline(in: limit)) else {
      throw WaitError("nothing was lent")
    }
    var byte: UInt8 = 0
    // One descriptor: a cmsghdr (16 bytes) and an int, padded.
    var control = [UInt8](repeating: 0, count: 24)
    let received = withUnsafeMutableBytes(of: &byte) { data in
      control.withUnsafeMutableBytes { ancillary in
        var part = iovec(iov_base: data.baseAddress, iov_len: 1)
        return withUnsafeMutablePointer(to: &part) { parts in
          var message = msghdr()
          message.msg_iov = parts
          message.msg_iovlen = 1
          message.msg_control = ancillary.baseAddress
          message.msg_controllen = ancillary.count
          return recvmsg(connection, &message, Int32(MSG_CMSG_CLOEXEC))
        }
      }
    }
    let socket = control.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
    guard received == 1, socket > 2 else { throw WaitError("recvmsg: \(errno)") }
    return socket
  }
}
