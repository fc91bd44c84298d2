import CProcCtl
import Glibc

/// A TCP socket of the test on 127.0.0.1, closed with the value's last reference.
final class LoopbackSocket: Sendable {
  let descriptor: Int32
  let port: UInt16

  /// - Parameters:
  ///   - port: 0 for one that the kernel chooses.
  ///   - listens: Otherwise the port is only bound.
  init(port: UInt16 = 0, listens: Bool = false) throws {
    self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(self.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = self.descriptor
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
        bind(descriptor, raw, size) == 0 && getsockname(descriptor, raw, &size) == 0
      }
    }
    self.port = UInt16(bigEndian: address.sin_port)
    guard bound, !listens || listen(descriptor, 16) == 0 else {
      close(descriptor)
      throw WaitError("bind 127.0.0.1:\(port): \(errno)")
    }
  }

  deinit { close(self.descriptor) }
}
