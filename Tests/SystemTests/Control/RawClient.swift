import CProcCtl
import Glibc

/// A connection to one of the master's doors, on which a test says what it likes. Closed with its last
/// reference.
///
/// Used by one task at a time.
final class RawClient: @unchecked Sendable {
  private let capture: Capture
  private let descriptor: Int32
  /// How far what came has been expected.
  private var position = 0

  convenience init(port: UInt16) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    try self.init(AF_INET, withUnsafeBytes(of: &address) { Array($0) })
  }

  convenience init(path: String) throws {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) {
      $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1))
    }
    try self.init(AF_UNIX, withUnsafeBytes(of: &address) { Array($0) })
  }

  private init(_ domain: Int32, _ address: [UInt8]) throws {
    let descriptor = socket(domain, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let result = address.withUnsafeBytes { bytes in
      connect(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    guard result == 0 else {
      let error = errno
      close(descriptor)
      throw ConnectionError(number: error)
    }
    _ = cprocctl_fcntl(descriptor, F_SETFL, cprocctl_fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK)
    self.descriptor = descriptor
    self.capture = Capture(descriptor)
  }

  struct ConnectionError: Error, Equatable { var number: Int32 }

  /// Says as much as the other side takes; returns how much that was.
  @discardableResult
  func say(_ bytes: [UInt8]) -> Int {
    max(bytes.withUnsafeBytes { send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }, 0)
  }

  func say(_ text: String) { self.say(Array(text.utf8)) }

  func finishSaying() { shutdown(self.descriptor, Int32(SHUT_WR)) }

  /// Lets the close send a reset (SO_LINGER of 0, socket(7)).
  func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  func expect(_ text: String, within limit: Duration = .seconds(10)) async throws {
    self.position = try await self.capture.expect(text, from: self.position, within: limit)
  }

  /// Reads on until the other side has closed; false if that was not in time.
  func expectEnd(within limit: Duration = .seconds(15)) async throws -> Bool {
    try await self.capture.expectEnd(within: limit)
  }

  var text: String { self.capture.text }

  // MARK: HTTP

  struct Response {
    var status: Int
    var head: String
    var body: String
  }

  /// Asks on this connection, and reads the answer by its length.
  func get(_ target: String, method: String = "GET") async throws -> Response {
    self.say("\(method) \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
    let start = self.position
    try await self.expect("\r\n\r\n")
    let head = String(decoding: self.capture.bytes[start..<self.position], as: UTF8.self)
    let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
      .flatMap { Int($0.dropFirst(16)) }
    guard let status = Int(head.split(separator: " ")[1]), let length else { throw WaitError(head) }
    let end = self.position + (method == "HEAD" ? 0 : length)
    let deadline = Deadline(in: .seconds(10))
    while self.capture.bytes.count < end {
      guard try await readable([self.descriptor], by: deadline) else { throw WaitError("body of \(target)") }
      self.capture.take()
    }
    let body = String(decoding: self.capture.bytes[self.position..<end], as: UTF8.self)
    self.position = end
    return Response(status: status, head: head, body: body)
  }

  // MARK: Varlink

  /// Calls a method and returns the reply's text.
  func call(_ method: String, _ rest: String = "") async throws -> String {
    self.say(Array("{\"method\":\"\(method)\"\(rest)}".utf8) + [0])
    return try await self.reply()
  }

  func reply(within limit: Duration = .seconds(15)) async throws -> String {
    let start = self.position
    try await self.expect("\0", within: limit)
    return String(decoding: self.capture.bytes[start..<self.position - 1], as: UTF8.self)
  }
}
