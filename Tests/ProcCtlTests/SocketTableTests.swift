import Glibc
import ProcCtl
import SystemPackage
import Testing

@Suite("The kernel's socket table", .serialized)
struct SocketTableTests {
  /// Linux 6.8 and later report sockets that are bound and no more.
  static let reportsBoundSockets: Bool = {
    var name = utsname()
    uname(&name)
    let release = withUnsafeBytes(of: &name.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    return numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 8)
  }()

  @Test(
    "shows a listener the same way by netlink and by /proc", arguments: [SocketTable.Source.netlink, .proc])
  func listener(source: SocketTable.Source) throws {
    let listener = try TestSocket(bindTo: .loopbackV4)
    let entries = try SocketTable.read(from: source, ports: [listener.port], states: .listen)
    try #require(entries.count == 1)
    #expect(entries[0].localAddress == .loopbackV4)
    #expect(entries[0].localPort == listener.port)
    #expect(entries[0].remotePort == 0)
    #expect(entries[0].inode == listener.inode)
    #expect(entries[0].uid == getuid())
    let port = listener.port
    listener.close()
    #expect(try SocketTable.read(from: source, ports: [port], states: .listen).isEmpty)
  }

  @Test("shows IPv6 listeners and, by netlink, whether they take IPv4")
  func v6() throws {
    let only = try TestSocket(bindTo: .anyV6, onlyV6: true)
    let dual = try TestSocket(bindTo: .anyV6, onlyV6: false)
    let entries = try SocketTable.read(from: .netlink, ports: [only.port, dual.port], states: .listen)
    #expect(entries.first { $0.inode == only.inode }?.acceptsOnlyV6 == true)
    #expect(entries.first { $0.inode == dual.inode }?.acceptsOnlyV6 == false)
    #expect(entries.allSatisfy { $0.localAddress == .anyV6 })
    let plain = try SocketTable.read(from: .proc, ports: [only.port], states: .listen)
    #expect(plain.map(\.acceptsOnlyV6) == [nil])
  }

  @Test("returns the ports asked for and none between them")
  func severalPorts() throws {
    let sockets = try (0..<5).map { _ in try TestSocket(bindTo: .loopbackV4) }.sorted { $0.port < $1.port }
    let wanted: Set<UInt16> = [sockets[0].port, sockets[2].port, sockets[4].port]
    let found = try SocketTable.read(ports: wanted, states: .listen)
    #expect(Set(found.map(\.localPort)) == wanted)
    let all = try SocketTable.read(states: .listen)
    #expect(Set(all.map(\.localPort)).isSuperset(of: sockets.map(\.port)))
  }

  @Test("shows the clients of a port, before and after they are accepted and when they leave")
  func established() throws {
    let listener = try TestSocket(bindTo: .loopbackV4)
    func count() throws -> Int {
      try SocketTable.read(ports: [listener.port], states: .established).count
    }
    #expect(try count() == 0)
    let first = try TestSocket(connectTo: .loopbackV4, port: listener.port)
    let second = try TestSocket(connectTo: .loopbackV4, port: listener.port)
    #expect(try count() == 2)
    let accepted = try listener.accept()
    #expect(try count() == 2)
    first.close()
    accepted.readToEnd()
    // The server's end is in CLOSE_WAIT: the client has gone.
    #expect(try count() == 1)
    second.close()
  }

  @Test("shows an IPv4 client of a dual-stack listener once")
  func mapped() throws {
    let listener = try TestSocket(bindTo: .anyV6, onlyV6: false)
    let client = try TestSocket(connectTo: .loopbackV4, port: listener.port)
    let accepted = try listener.accept()
    let entries = try SocketTable.read(ports: [listener.port], states: .established)
    #expect(entries.map(\.localAddress.unmapped) == [.loopbackV4])
    #expect(entries.map(\.inode) == [accepted.inode])
    #expect(try SocketTable.read(ports: [client.port], states: .established).map(\.inode) == [client.inode])
  }

  @Test("shows a socket that is bound and does not listen", .enabled(if: Self.reportsBoundSockets))
  func bound() throws {
    let socket = try TestSocket(bindTo: .loopbackV4, listen: false)
    let entries = try SocketTable.read(ports: [socket.port])
    #expect(entries.map(\.state) == [.bound])
    #expect(entries.map(\.inode) == [socket.inode])
  }

  @Test(
    "falls back to /proc where netlink is refused, and only there",
    arguments: [Errno.notPermitted, .protocolNotSupported, .addressFamilyNotSupported])
  func fallback(error: Errno) throws {
    let listener = try TestSocket(bindTo: .loopbackV6)
    let (port, inode) = (listener.port, listener.inode)
    let entries = try onThreadOfItsOwn {
      try refuseNetlink(with: error)
      // The refusal is real, or the rest would say nothing.
      #expect(throws: ProcessError.self) { try SocketTable.read(from: .netlink, ports: [port]) }
      return try SocketTable.read(ports: [port])
    }
    #expect(entries.map(\.inode) == [inode])
    #expect(throws: ProcessError.self) {
      try onThreadOfItsOwn {
        try refuseNetlink(with: .tooManyOpenFiles)
        return try SocketTable.read(ports: [port])
      }
    }
  }

  @Test("reads addresses and writes them")
  func addresses() throws {
    #expect(InternetAddress("127.0.0.1") == .loopbackV4)
    #expect(InternetAddress("::1") == .loopbackV6)
    #expect(InternetAddress("::ffff:10.1.2.3")?.unmapped == InternetAddress("10.1.2.3"))
    #expect(InternetAddress("2001:db8::7")?.unmapped.description == "2001:db8::7")
    #expect(InternetAddress("localhost") == nil)
    #expect(InternetAddress("127.0.0.1:80") == nil)
    #expect(InternetAddress(rawBytes: [1, 2, 3]) == nil)
    #expect(InternetAddress.loopbackV6.rawBytes == Array(repeating: 0, count: 15) + [1])
    #expect(SocketAddress.tcp(.loopbackV6, port: 80).description == "[::1]:80")
    #expect(SocketAddress.unix(path: String(repeating: "a", count: 108)).kernelForm == nil)
    #expect(SocketAddress.unix(path: String(repeating: "a", count: 107)).kernelForm?.count == 110)
    #expect(SocketAddress.unix(path: "").kernelForm == nil)
    #expect(SocketAddress.unix(path: "a\u{0}b").kernelForm == nil)
    #expect(SocketAddress.unix(path: "@ab").kernelForm?.suffix(3) == [0, 97, 98])
  }
}
