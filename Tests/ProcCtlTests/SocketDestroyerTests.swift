import CProcCtl
import Glibc
import ProcCtl
import SystemPackage
import Testing

@Suite("Sockets are destroyed", .serialized)
struct SocketDestroyerTests {
  /// Whether this process may; root in a container may not.
  static let mayDestroy: Bool = {
    guard let held = try? HeldCapabilities.current().permitted else { return false }
    return (try? CapabilitySet(names: ["net_admin"])).map { $0.subtracting(held).isEmpty } ?? false
  }()

  private func established(on port: UInt16, inode: UInt32) throws -> SocketEntry? {
    try SocketTable.read(from: .netlink, ports: [port], states: .established).first { $0.inode == inode }
  }

  /// What reading gives within some seconds: 0 at the end, else the error.
  private func outcome(of socket: TestSocket) -> Int32 {
    cprocctl_set_receive_timeout(socket.descriptor, 60)
    var byte: UInt8 = 0
    return recv(socket.descriptor, &byte, 1, 0) < 0 ? errno : 0
  }

  @Test(
    "the one that is meant, accepted or not, and no other; nothing stays in TIME_WAIT",
    .enabled(if: mayDestroy, "it takes CAP_NET_ADMIN"), arguments: [true, false])
  func destroys(isAccepted: Bool) throws {
    let listener = try TestSocket(bindTo: .loopbackV4)
    let clients = try (0..<2).map { _ in try TestSocket(port: listener.port) }
    var accepted: [TestSocket] = []
    if isAccepted { accepted = try (0..<2).map { _ in try listener.accept() } }
    let entries = try SocketTable.read(from: .netlink, ports: [listener.port], states: .established)
      .sorted { $0.remotePort == clients[0].port && $1.remotePort != clients[0].port }
    try #require(entries.count == 2)
    var destroyer = try SocketDestroyer()
    #expect(try destroyer.destroy(entries[0]))
    #expect(self.outcome(of: clients[0]) == ECONNRESET)
    let left = try SocketTable.read(ports: [listener.port], states: [.established, .timeWait])
    #expect(left.map(\.remotePort) == [clients[1].port])
    // It is gone, and so it says.
    #expect(try !destroyer.destroy(entries[0]))
    if isAccepted { #expect(accepted.contains { self.outcome(of: $0) == ECONNABORTED }) }
  }

  @Test("by IPv6 too", .enabled(if: mayDestroy, "it takes CAP_NET_ADMIN"))
  func v6() throws {
    let listener = try TestSocket(bindTo: .anyV6, onlyV6: false)
    for address in [InternetAddress.loopbackV6, .loopbackV4] {
      let client = try TestSocket(connectTo: address, port: listener.port)
      let server = try listener.accept()
      let entry = try #require(try self.established(on: listener.port, inode: server.inode))
      #expect(entry.family == .v6)
      var destroyer = try SocketDestroyer()
      #expect(try destroyer.destroy(entry))
      #expect(self.outcome(of: client) == ECONNRESET)
    }
  }

  @Test(
    "not one with the same addresses and another cookie", .enabled(if: mayDestroy, "it takes CAP_NET_ADMIN"))
  func cookie() throws {
    let listener = try TestSocket(bindTo: .loopbackV4)
    let client = try TestSocket(port: listener.port)
    let server = try listener.accept()
    var entry = try #require(try self.established(on: listener.port, inode: server.inode))
    let cookie = try #require(entry.cookie)
    var destroyer = try SocketDestroyer()
    entry.cookie = cookie ^ 1
    #expect(try !destroyer.destroy(entry))
    #expect(try self.established(on: listener.port, inode: server.inode) != nil)
    entry.cookie = nil
    #expect(throws: Errno.invalidArgument) { try Self.destroy(entry) }
    #expect(try self.established(on: listener.port, inode: server.inode) != nil)
    // The negative control: with its own it is.
    entry.cookie = cookie
    #expect(try destroyer.destroy(entry))
    #expect(self.outcome(of: client) == ECONNRESET)
  }

  private static func destroy(_ entry: SocketEntry) throws {
    var destroyer = try SocketDestroyer()
    _ = try destroyer.destroy(entry)
  }
}
