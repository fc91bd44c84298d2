internal import CProcCtl
internal import Glibc
package import SystemPackage

/// What carries a notification to the service manager, so that tests and the
/// simulation can record what was said instead.
package protocol NotificationTransport: Sendable {
  /// Sends one message, never waiting for the receiver. The descriptors stay the caller's.
  func send(_ message: [UInt8], descriptors: [FileDescriptor]) throws(NotificationError)
}

/// The real one: a datagram to `NOTIFY_SOCKET`.
///
/// libsystemd 252 sends on a blocking socket, so a stalled service manager whose
/// queue is full would stop our event loop, and with it every deadline of a
/// shutdown. Therefore our own sendmsg(2) with MSG_DONTWAIT.
package struct DatagramTransport: NotificationTransport {
  private let address: NotifyAddress

  package init(to address: NotifyAddress) {
    self.address = address
  }

  package func send(_ message: [UInt8], descriptors: [FileDescriptor]) throws(NotificationError) {
    // A socket per message, as sd_notify(3) does: nothing to inherit, nothing to go stale.
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let socket = Glibc.socket(AF_UNIX, type, 0)
    guard socket >= 0 else {
      throw NotificationError(.socket, doing: "socket", underlyingError: Errno(rawValue: errno))
    }
    defer { close(socket) }
    let failure = self.transmit(message, descriptors: descriptors, over: socket)
    guard let failure else { return }
    throw NotificationError(
      failure == .wouldBlock ? .queueFull : .socket, doing: "sendmsg \(self.address)",
      underlyingError: failure)
  }

  private func transmit(_ message: [UInt8], descriptors: [FileDescriptor], over socket: Int32) -> Errno? {
    var message = message
    var control = ControlMessages.encode(descriptors)
    return self.address.withSocketAddress { address, length in
      message.withUnsafeMutableBytes { payload in
        control.withUnsafeMutableBytes { beside in
          var part = iovec(iov_base: payload.baseAddress, iov_len: payload.count)
          return withUnsafeMutablePointer(to: &part) { parts in
            var header = msghdr()
            header.msg_name = UnsafeMutableRawPointer(address)
            header.msg_namelen = length
            header.msg_iov = parts
            header.msg_iovlen = 1
            if !beside.isEmpty {
              header.msg_control = beside.baseAddress
              header.msg_controllen = beside.count
            }
            let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
            while sendmsg(socket, &header, flags) < 0 {
              if errno != EINTR { return Errno(rawValue: errno) }
            }
            return nil
          }
        }
      }
    }
  }
}
