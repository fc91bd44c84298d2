import CProcCtl
import Glibc
import Testing

/// A client of a worker: a connection of the test's, closed with the value's last reference.
final class TestClient: @unchecked Sendable {
  private var descriptor: Int32

  /// - Parameters:
  ///   - port: Where to connect on 127.0.0.1.
  ///   - own: Our own address and port; nil for what the kernel chooses.
  init(port: UInt16, from own: (address: UInt32, port: UInt16)? = nil) throws {
    self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(self.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    if let own {
      let bound = Self.with(own.address, own.port) { bind(self.descriptor, $0, $1) }
      guard bound == 0 else { throw WaitError("bind: \(errno)") }
    }
    guard Self.with(0x7f00_0001, port, { connect(self.descriptor, $0, $1) }) == 0 else {
      throw WaitError("connect to \(port): \(errno)")
    }
  }

  deinit { self.leave() }

  private static func with(
    _ address: UInt32, _ port: UInt16, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = address.bigEndian
    return withUnsafePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        call($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  /// Closes the connection, as a client does that has what it wanted.
  func leave() {
    if self.descriptor >= 0 { close(self.descriptor) }
    self.descriptor = -1
  }

  /// How the connection ends: 0 if it is closed, else the error.
  func end(within limit: Duration = .seconds(10)) async throws -> Int32 {
    guard try await readable([self.descriptor], by: Deadline(in: limit)) else {
      throw WaitError("the connection has not ended")
    }
    var byte: UInt8 = 0
    return recv(self.descriptor, &byte, 1, 0) < 0 ? errno : 0
  }

  /// Whether it is connected and nothing has come.
  var isConnected: Bool {
    var byte: UInt8 = 0
    return recv(self.descriptor, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)) < 0
      && errno == EAGAIN
  }
}
