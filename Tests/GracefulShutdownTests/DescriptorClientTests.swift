import Glibc
import GracefulShutdown
import SystemPackage
import Testing

/// Real sockets and pipes.
@Suite(.timeLimit(.minutes(1))) struct DescriptorClientTests {
  let line = #"{"jsonrpc":"2.0","method":"notifications/shutdown","params":{"reason":"test \"now\""}}"# + "\n"

  private func socketPair() throws -> (server: FileDescriptor, client: FileDescriptor) {
    var ends: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
      throw Errno(rawValue: errno)
    }
    return (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
  }

  /// Connected over the loopback address.
  private func tcpPair() throws -> (server: FileDescriptor, client: FileDescriptor) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    // A sockaddr_in (ip(7)) of 127.0.0.1 and any port.
    var address: [UInt8] = [UInt8(AF_INET), 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    var length = socklen_t(address.count)
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let isConnected = address.withUnsafeMutableBytes { bytes -> Bool in
      guard let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return false }
      return bind(listener, address, length) == 0 && listen(listener, 1) == 0
        && getsockname(listener, address, &length) == 0 && connect(client, address, length) == 0
    }
    guard isConnected else { throw Errno(rawValue: errno) }
    return (FileDescriptor(rawValue: accept(listener, nil, nil)), FileDescriptor(rawValue: client))
  }

  /// Everything up to the end of the stream, or the error that ended it. Blocks.
  private static func readToEnd(_ descriptor: FileDescriptor) -> (text: String, error: Errno?) {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      do {
        let count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
        if count == 0 { return (String(decoding: bytes, as: UTF8.self), nil) }
        bytes += buffer[..<count]
      } catch {
        return (String(decoding: bytes, as: UTF8.self), error as? Errno)
      }
    }
  }

  /// What the descriptor is open on; its number alone may be another file's by now.
  private func inode(_ descriptor: FileDescriptor) -> UInt? {
    var status = stat()
    return fstat(descriptor.rawValue, &status) == 0 ? UInt(status.st_ino) : nil
  }

  private func canSend(_ descriptor: FileDescriptor) -> Bool {
    send(descriptor.rawValue, "x", 1, Int32(MSG_NOSIGNAL)) == 1
  }

  @Test func aClientOnASocketIsToldAndLeaves() async throws {
    for pair in [try self.socketPair(), try self.tcpPair()] {
      let inode = self.inode(pair.server)
      let coordinator = ShutdownCoordinator(logger: .silent)
      _ = try coordinator.register(DescriptorClient(pair.server, name: "peer", ownership: .owned))
      coordinator.initiate(reason: "test \"now\"")
      let end = await blocking { () -> (String, Errno?) in
        defer { try? pair.client.close() }
        return DescriptorClientTests.readToEnd(pair.client)
      }
      #expect(end.0 == self.line)
      let report = await coordinator.report
      #expect(report.clients.closed == 1)
      #expect(report.isClean)
      #expect(inode != nil && self.inode(pair.server) != inode)
    }
  }

  @Test func aClientThatStaysIsResetAndDelaysNobody() async throws {
    let (server, client) = try self.tcpPair()
    let other = try self.socketPair()
    let inode = self.inode(other.server)
    // Time passes only once the other has left.
    let clock = VirtualClock()
    let coordinator = ShutdownCoordinator(logger: .silent, clock: clock)
    _ = try coordinator.register(DescriptorClient(server, name: "stays", ownership: .owned))
    _ = try coordinator.register(DescriptorClient(other.server, name: "leaves"))
    try other.client.close()
    #expect(self.canSend(client))
    coordinator.initiate(reason: "test")
    for await statistics in coordinator.progress where statistics.clientsConnected == 1 { break }
    await clock.untilSomethingSleeps(for: .seconds(10))
    clock.advance(by: .seconds(10))
    let report = await coordinator.report
    #expect(report.clients.dropped == 1)
    #expect(report.clients.left + report.clients.closed == 1)
    #expect(report.failures.map(\.name) == ["stays"])
    #expect(!self.canSend(client))
    // Borrowed, it is still the test's.
    #expect(self.inode(other.server) == inode)
    try other.server.close()
    try client.close()
  }

  @Test func aClientThatDoesNotReadHoldsNothing() async throws {
    let pair = try self.socketPair()
    let message = ShutdownMessage { _ in [UInt8](repeating: 0x2E, count: 1 << 22) }
    let timeouts = ShutdownTimeouts(clients: .milliseconds(300))
    let coordinator = ShutdownCoordinator(timeouts: timeouts, logger: .silent)
    _ = try coordinator.register(DescriptorClient(pair.server, name: "deaf", message: message))
    coordinator.initiate(reason: "test")
    let report = await coordinator.report
    #expect(report.clients.dropped == 1)
    #expect(report.failures.map(\.detail) == ["dropped after 0.300 s"])
    try pair.server.close()
    try pair.client.close()
  }

  @Test func theReaderOfAPipeReadsItsEnd() async throws {
    let pipe = try FileDescriptor.pipe()
    let coordinator = ShutdownCoordinator(logger: .silent)
    _ = try coordinator.register(DescriptorClient(pipe.writeEnd, name: "reader", ownership: .owned))
    coordinator.initiate(reason: "test \"now\"")
    let report = await coordinator.report
    #expect(report.clients.closed == 1)
    #expect(DescriptorClientTests.readToEnd(pipe.readEnd).text == self.line)
    try pipe.readEnd.close()
  }

  @Test func aPipeWithoutAReaderIsSomebodyWhoLeft() async throws {
    let pipe = try FileDescriptor.pipe()
    try pipe.readEnd.close()
    let coordinator = ShutdownCoordinator(logger: .silent)
    // SIGPIPE would end the tests.
    _ = try coordinator.register(DescriptorClient(pipe.writeEnd, name: "gone", ownership: .owned))
    coordinator.initiate(reason: "test")
    let report = await coordinator.report
    #expect(report.clients.left == 1)
    #expect(report.isClean)
    try? pipe.writeEnd.close()
  }

  @Test func aBorrowedPipeWhoseReaderStaysIsGivenUp() async throws {
    let pipe = try FileDescriptor.pipe()
    let inode = self.inode(pipe.writeEnd)
    let timeouts = ShutdownTimeouts(clients: .milliseconds(300))
    let coordinator = ShutdownCoordinator(timeouts: timeouts, logger: .silent)
    _ = try coordinator.register(DescriptorClient(pipe.writeEnd, name: "stays", message: .none))
    coordinator.initiate(reason: "test")
    #expect(await coordinator.report.clients.dropped == 1)
    #expect(self.inode(pipe.writeEnd) == inode)
    try pipe.writeEnd.close()
    try pipe.readEnd.close()
  }
}
