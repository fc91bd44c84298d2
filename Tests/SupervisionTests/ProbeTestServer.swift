import Glibc
import ProcCtl
import Supervision
import SystemPackage
import Testing

/// A connection as the server of a test sees it. Closed by the server.
struct ServedConnection {
  let descriptor: Int32

  /// Reads until the blank line after the request's head; what came so far if the client leaves.
  func readRequest() -> String {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8), recv(self.descriptor, &byte, 1, 0) == 1 {
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Returns false once the client does not take any more.
  @discardableResult
  func send(_ text: String) -> Bool { self.send(Array(text.utf8)) }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Waits until the client has closed or reset the connection.
  func waitForEnd() {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while recv(self.descriptor, &buffer, buffer.count, 0) > 0 {}
  }

  /// Passes the time a slow server takes; ends early if the client says something or leaves.
  func dawdle(milliseconds: Int32) {
    var entry = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
    poll(&entry, 1, milliseconds)
  }

  /// Lets close(2) send a reset.
  func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }
}

/// Serves connections one after the other on a thread of its own.
final class ProbeTestServer {
  private final class Service: Sendable {
    let listener: Int32
    let serve: @Sendable (ServedConnection) -> Void

    init(listener: Int32, serve: @escaping @Sendable (ServedConnection) -> Void) {
      self.listener = listener
      self.serve = serve
    }

    func run() {
      while true {
        let descriptor = accept(self.listener, nil, nil)
        if descriptor < 0 {
          if errno == EINTR || errno == ECONNABORTED { continue }
          return
        }
        self.serve(ServedConnection(descriptor: descriptor))
        close(descriptor)
      }
    }
  }

  let address: SocketAddress
  private let service: Service
  private var thread = pthread_t()
  private var isRunning = true

  init(
    unixPath: String? = nil, on local: InternetAddress = .loopbackV4,
    serve: @escaping @Sendable (ServedConnection) -> Void
  ) throws {
    let wanted = unixPath.map { SocketAddress.unix(path: $0) } ?? .tcp(local, port: 0)
    let listener = try listeningSocket(at: wanted)
    self.address = wanted.domain == AF_UNIX ? wanted : .tcp(local, port: localPort(of: listener))
    self.service = Service(listener: listener, serve: serve)
    let result = pthread_create(
      &self.thread, nil,
      { pointer in
        guard let pointer else { return nil }
        Unmanaged<Service>.fromOpaque(pointer).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(self.service).toOpaque())
    guard result == 0 else { throw Errno(rawValue: result) }
  }

  deinit { self.stop() }

  /// Ends after the connection that is being served, and waits for that.
  func stop() {
    guard self.isRunning else { return }
    self.isRunning = false
    shutdown(self.service.listener, Int32(SHUT_RDWR))
    pthread_join(self.thread, nil)
    close(self.service.listener)
    if case .unix(let path) = self.address, !path.hasPrefix("@") { unlink(path) }
  }

  var port: UInt16 {
    if case .tcp(_, let port) = self.address { return port }
    return 0
  }
}

func listeningSocket(at address: SocketAddress, backlog: Int32 = 128) throws -> Int32 {
  let descriptor = socket(address.domain, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  var on: Int32 = 1
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
  let bound = (address.kernelForm ?? []).withUnsafeBytes {
    bind(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
  }
  guard bound == 0, listen(descriptor, backlog) == 0 else {
    let error = Errno(rawValue: errno)
    close(descriptor)
    throw error
  }
  return descriptor
}

func localPort(of descriptor: Int32) -> UInt16 {
  var raw = sockaddr_storage()
  var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
  withUnsafeMutablePointer(to: &raw) { pointer in
    _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
  }
  return withUnsafeBytes(of: &raw) { UInt16($0[2]) << 8 | UInt16($0[3]) }
}

/// A port on which nobody listens.
func unusedPort() throws -> UInt16 {
  let descriptor = try listeningSocket(at: .tcp(.loopbackV4, port: 0))
  defer {
    // Frees the port even while a child on its way to its exec holds the socket.
    shutdown(descriptor, Int32(SHUT_RDWR))
    close(descriptor)
  }
  return localPort(of: descriptor)
}

/// This process's open sockets that are connected, or connecting, to the port.
/// (A child that another test is spawning may hold one a moment longer.)
func openClients(of port: UInt16) throws -> Int {
  let clients = try SocketTable.read().filter { $0.remotePort == port && $0.inode != 0 }
  let own = try SocketOwners.find(Set(clients.map(\.inode)), among: [ProcessIdentifier(getpid())])
  return own.owners.count
}

/// What comes of it within a limit that is short because it has to pass. On a machine that stood still
/// meanwhile it may not have come as far as expected: then again, with more time.
func withinShortTime<Outcome: Equatable>(
  _ limit: Duration, expecting expected: Outcome, _ body: (Duration) throws -> Outcome
) rethrows -> Outcome {
  for factor in [1, 5] {
    let outcome = try body(limit * factor)
    if outcome == expected { return outcome }
  }
  return try body(limit * 40)
}

/// Runs a loop of its own until the body's completion is called and everything
/// due at that moment is done; a second call is recorded as an issue.
func onLoop<Outcome>(
  within limit: Duration = .seconds(120),
  _ body: (EventLoop, @escaping (Outcome) -> Void) throws -> Void
) throws -> Outcome {
  let loop = try EventLoop()
  var outcomes: [Outcome] = []
  let guardTimer = loop.schedule(at: .now.advanced(by: limit)) { loop.stop() }
  try body(loop) { outcome in
    outcomes.append(outcome)
    // A turn later, so that a second call would be seen.
    if outcomes.count == 1 { loop.schedule(at: .now) { loop.stop() } }
  }
  #expect(outcomes.isEmpty, "the completion was called from within the call")
  try loop.run()
  loop.cancel(guardTimer)
  #expect(outcomes.count == 1)
  return try #require(outcomes.first)
}
