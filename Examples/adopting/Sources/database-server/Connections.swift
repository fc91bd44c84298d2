import Dispatch
import Glibc
import SystemPackage

/// Lines of text over TCP, with a thread for whoever waits: enough for an example.
struct Listener: Sendable {
  let descriptor: FileDescriptor
  let port: UInt16

  init() throws {
    let descriptor = FileDescriptor(rawValue: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor.rawValue, $0, length) == 0 && listen(descriptor.rawValue, 16) == 0
          && getsockname(descriptor.rawValue, $0, &length) == 0
      }
    }
    guard isListening else { throw Errno(rawValue: errno) }
    self.descriptor = descriptor
    self.port = UInt16(bigEndian: address.sin_port)
  }

  /// Calls the handler with each connection on a queue of its own, until the listener is closed.
  func forEachConnection(_ handle: @escaping @Sendable (Connection) -> Void) {
    DispatchQueue(label: "listener").async {
      while true {
        let accepted = accept(self.descriptor.rawValue, nil, nil)
        guard accepted >= 0 else { return }
        handle(Connection(descriptor: FileDescriptor(rawValue: accepted)))
      }
    }
  }

  /// Wakes who accepts, too.
  func close() throws {
    shutdown(self.descriptor.rawValue, Int32(SHUT_RDWR))
    try self.descriptor.close()
  }
}

struct Connection: Sendable {
  let descriptor: FileDescriptor

  /// Calls the handler for each line on a queue of its own, then the end when there is no more.
  func forEachLine(_ handle: @escaping @Sendable (String) -> Void, end: @escaping @Sendable () -> Void) {
    DispatchQueue(label: "connection").async {
      var line: [UInt8] = []
      var byte: [UInt8] = [0]
      while (try? byte.withUnsafeMutableBytes { try self.descriptor.read(into: $0) }) == 1 {
        if byte[0] != 0x0A {
          line.append(byte[0])
        } else {
          handle(String(decoding: line, as: UTF8.self))
          line = []
        }
      }
      end()
    }
  }

  func send(_ line: String) {
    _ = try? self.descriptor.writeAll("\(line)\n".utf8)
  }
}
