import Glibc
import ProcCtl
import SystemPackage
import Testing

@Suite("The verdict on a port")
struct SocketPortVerdictTests {
  private static func entry(
    _ state: SocketState, _ address: InternetAddress = .loopbackV4, inode: UInt32 = 5,
    onlyV6: Bool? = nil
  ) -> SocketEntry {
    SocketEntry(
      state: state, localAddress: address, localPort: 80, remoteAddress: .anyV4, remotePort: 0, inode: inode,
      uid: 33, acceptsOnlyV6: onlyV6)
  }

  private func verdict(
    _ entries: [SocketEntry], v4: BindProbe.Result = .bound, v6: BindProbe.Result = .bound,
    owners: [UInt32: [ProcessIdentifier]] = [5: [ProcessIdentifier(7)]]
  ) -> PortState {
    PortFacts(
      port: 80, entries: entries, owners: SocketOwners(owners: owners), binds: [.anyV4: v4, .anyV6: v6]
    ).verdict
  }

  private static func holder(
    _ state: SocketState, pid: Int32? = 7, uid: UInt32? = 33, _ address: InternetAddress = .loopbackV4
  ) -> PortHolder {
    PortHolder(
      pid: pid.map { ProcessIdentifier($0) }, uid: uid, state: state, address: .tcp(address, port: 80))
  }

  @Test("free is: nothing in the table, and a bind works")
  func free() {
    #expect(self.verdict([]) == .free)
    #expect(self.verdict([], v4: .failed(.permissionDenied), v6: .noSuchAddress) == .free)
  }

  @Test("a listener holds it, whatever the bind says")
  func listener() {
    #expect(self.verdict([Self.entry(.listen)], v4: .inUse) == .held([Self.holder(.listen)]))
    #expect(self.verdict([Self.entry(.listen)]) == .held([Self.holder(.listen)]))
    #expect(self.verdict([Self.entry(.bound)]) == .held([Self.holder(.bound)]))
  }

  @Test("each holder once, listeners first, an unknown one without a pid")
  func holders() {
    let entries = [
      Self.entry(.established, inode: 6), Self.entry(.established, inode: 8), Self.entry(.listen, inode: 5),
    ]
    let two = [ProcessIdentifier(7), ProcessIdentifier(9)]
    let state = self.verdict(entries, v4: .inUse, owners: [5: two, 6: [two[0]], 8: [two[0]]])
    #expect(
      state == .held([Self.holder(.listen), Self.holder(.listen, pid: 9), Self.holder(.established)]))
    #expect(self.verdict([Self.entry(.listen)], owners: [:]) == .held([Self.holder(.listen, pid: nil)]))
  }

  @Test("ended connections that nobody owns: whether they block is the bind's word")
  func timeWait() {
    let ended = [Self.entry(.timeWait, inode: 0), Self.entry(.finWait2, inode: 0)]
    #expect(self.verdict(ended) == .timeWait(count: 2, blocksReuse: false))
    #expect(self.verdict(ended, v4: .inUse) == .timeWait(count: 2, blocksReuse: true))
    #expect(self.verdict(ended).isFreeForReuse)
    #expect(!self.verdict(ended, v4: .inUse).isFreeForReuse)
    #expect(self.verdict(ended + [Self.entry(.listen)], v4: .inUse) == .held([Self.holder(.listen)]))
  }

  @Test("a connection without a listener holds it only if the bind fails")
  func established() {
    #expect(self.verdict([Self.entry(.established)]) == .free)
    #expect(
      self.verdict([Self.entry(.established)], v4: .inUse) == .held([Self.holder(.established)]))
  }

  @Test("somebody the table does not show still holds it")
  func invisible() {
    let unknown = Self.holder(.bound, pid: nil, uid: nil, .anyV4)
    #expect(self.verdict([], v4: .inUse) == .held([unknown]))
  }

  @Test("which sockets are in the way of which bind")
  func meets() {
    let other = InternetAddress("127.0.0.2") ?? .anyV4
    let table: [(SocketEntry, Set<BindAddress>)] = [
      (Self.entry(.listen, .loopbackV4), [.loopbackV4, .anyV4, .anyDual]),
      (Self.entry(.listen, other), [.anyV4, .anyDual]),
      (Self.entry(.listen, .anyV4), [.loopbackV4, .anyV4, .anyDual]),
      (Self.entry(.listen, .loopbackV6), [.loopbackV6, .anyV6, .anyDual]),
      (Self.entry(.listen, .anyV6, onlyV6: true), [.loopbackV6, .anyV6, .anyDual]),
      (Self.entry(.listen, .anyV6, onlyV6: false), Set(BindAddress.allCases)),
      (Self.entry(.listen, .anyV6), Set(BindAddress.allCases)),
      (
        Self.entry(.established, InternetAddress("::ffff:127.0.0.1") ?? .anyV6),
        [.loopbackV4, .anyV4, .anyDual]
      ),
    ]
    for (entry, expected) in table {
      #expect(Set(BindAddress.allCases.filter { $0.meets(entry) }) == expected, "\(entry.localAddress)")
    }
  }
}

@Suite("Ports on this machine", .serialized)
struct SocketPortCheckTests {
  private static let me = ProcessIdentifier(getpid())

  /// Leaves a TIME_WAIT on the port of a server that is gone.
  private static func portInTimeWait(reuse: Bool) throws -> UInt16 {
    let listener = try TestSocket(bindTo: .loopbackV4, reuse: reuse)
    let client = try TestSocket(connectTo: .loopbackV4, port: listener.port)
    let accepted = try listener.accept()
    accepted.close()
    client.readToEnd()
    client.close()
    defer { listener.close() }
    return listener.port
  }

  private func holders(_ state: PortState) throws -> [PortHolder] {
    guard case .held(let holders) = state else {
      Issue.record("the port is \(state)")
      return []
    }
    return holders
  }

  /// Looks here first, so that children other tests are spawning, which hold
  /// everything until their exec, do not show.
  private func check(_ addresses: [BindAddress] = [.anyV4, .anyV6]) -> PortCheck {
    PortCheck(addresses: addresses, likelyOwners: [Self.me])
  }

  @Test("is free after its only socket has closed")
  func free() throws {
    let listener = try TestSocket(bindTo: .loopbackV4)
    let port = listener.port
    #expect(try self.holders(self.check().state(of: port)).map(\.pid) == [Self.me])
    listener.close()
    #expect(try PortCheck().state(of: port) == .free)
  }

  @Test("names the holder with its command, user and address")
  func held() throws {
    let listener = try TestSocket(bindTo: .loopbackV4)
    let holders = try self.holders(PortCheck().state(of: listener.port))
    let holder = try #require(holders.first { $0.pid == Self.me })
    #expect(holder.uid == geteuid())
    #expect(holder.state == .listen)
    #expect(holder.address == .tcp(.loopbackV4, port: listener.port))
    #expect(try #require(holder.command).isEmpty == false)
    if geteuid() == 0 { #expect(holder.user == "root") }
    #expect(holder.description.contains("LISTEN on 127.0.0.1:\(listener.port)"))
  }

  @Test("names the child that inherited the listener of a server that is gone")
  func inherited() throws {
    let listener = try TestSocket(bindTo: .loopbackV4)
    let port = listener.port
    let child = try SocketHolderProcess(holding: listener)
    let childPid = ProcessIdentifier(child.pid)
    listener.letGo()
    let holders = try self.holders(PortCheck().state(of: port))
    #expect(holders.first { $0.pid == childPid }?.command == "cat -")
    #expect(!holders.contains { $0.pid == Self.me })
  }

  @Test("a listener on another address is in the way of a wildcard, not of loopback")
  func scope() throws {
    let other = try #require(InternetAddress("127.0.0.2"))
    let listener = try TestSocket(bindTo: other)
    #expect(try self.check([.loopbackV4]).state(of: listener.port) == .free)
    #expect(try self.holders(self.check([.anyV4]).state(of: listener.port)).count == 1)
    #expect(try self.check([.anyV6]).state(of: listener.port) == .free)
  }

  @Test("a wildcard listener is in the way of loopback")
  func wildcard() throws {
    let listener = try TestSocket(bindTo: .anyV4)
    let holders = try self.holders(self.check([.loopbackV4]).state(of: listener.port))
    #expect(holders.map(\.address) == [.tcp(.anyV4, port: listener.port)])
  }

  @Test("a listener on IPv6 alone is found, and leaves IPv4 free")
  func onlyV6() throws {
    let listener = try TestSocket(bindTo: .anyV6, onlyV6: true)
    #expect(try self.check([.anyV4]).state(of: listener.port) == .free)
    #expect(try self.holders(self.check().state(of: listener.port)).map(\.pid) == [Self.me])
    let dual = try TestSocket(bindTo: .anyV6, onlyV6: false)
    #expect(try self.holders(self.check([.anyV4]).state(of: dual.port)).map(\.pid) == [Self.me])
  }

  @Test("TIME_WAIT is told from a holder, and whether SO_REUSEADDR helps", arguments: [true, false])
  func timeWait(reuse: Bool) throws {
    let port = try Self.portInTimeWait(reuse: reuse)
    #expect(try PortCheck().state(of: port) == .timeWait(count: 1, blocksReuse: !reuse))
    // A bind as a successor would make it says the same.
    if reuse {
      #expect(throws: Never.self) { try TestSocket(bindTo: .loopbackV4, port: port, reuse: true) }
    } else {
      #expect(throws: Errno.addressInUse) { try TestSocket(bindTo: .loopbackV4, port: port, reuse: true) }
    }
    #expect(throws: Errno.addressInUse) { try TestSocket(bindTo: .loopbackV4, port: port, reuse: false) }
  }

  @Test("a socket that is bound and does not listen yet holds the port")
  func bound() throws {
    // Without SO_REUSEADDR any kernel lets the bind fail; with it only the
    // table of Linux 6.8 and later tells.
    for reuse in SocketTableTests.reportsBoundSockets ? [false, true] : [false] {
      let socket = try TestSocket(bindTo: .loopbackV4, reuse: reuse, listen: false)
      let holders = try self.holders(self.check().state(of: socket.port))
      #expect(holders.map(\.state) == [.bound])
      if SocketTableTests.reportsBoundSockets { #expect(holders.map(\.pid) == [Self.me]) }
    }
  }

  @Test("a connection that outlives its listener does not hold the port")
  func connectionWithoutListener() throws {
    let listener = try TestSocket(bindTo: .loopbackV4)
    let port = listener.port
    let client = try TestSocket(connectTo: .loopbackV4, port: port)
    let accepted = try listener.accept()
    listener.close()
    #expect(try PortCheck().state(of: port) == .free)
    #expect(try SocketTable.read(ports: [port], states: .established).count == 1)
    accepted.close()
    client.close()
  }

  @Test("judges many ports by one reading of the table")
  func many() throws {
    let held = try (0..<20).map { _ in try TestSocket(bindTo: .loopbackV4) }
    let closed = try (0..<20).map { _ in
      let socket = try TestSocket(bindTo: .loopbackV4)
      defer { socket.close() }
      return socket.port
    }.filter { port in !held.contains { $0.port == port } }
    let states = try PortCheck(likelyOwners: [Self.me]).states(of: Set(held.map(\.port) + closed))
    for socket in held { #expect(try self.holders(states[socket.port] ?? .free).map(\.pid) == [Self.me]) }
    for port in closed { #expect(states[port] == .free) }
    #expect(try PortCheck().states(of: []).isEmpty)
  }

  @Test("text from other processes is made fit to print")
  func text() {
    #expect(PrintableText.escaping(Array("a\nb\u{1b}[31m\\".utf8)) == "a\\nb\\x1b[31m\\\\")
    #expect(PrintableText.escaping([0x61, 0xff, 0xc3]) == "a\\xff\\xc3")
    #expect(PrintableText.escaping(Array("é\u{202e}x\u{85}".utf8)) == "é\\u{202e}x\\u{0085}")
    #expect(PrintableText.escaping(Array("abcdef".utf8), limit: 3) == "abc…")
    #expect(PrintableText.escaping(Array("abc".utf8), limit: 3) == "abc")
    let lines = "a\nb\u{1b}[31m\\x1b\u{202e}\u{2028}\r\n"
    #expect(PrintableText.lines(lines) == "a\nb\\x1b[31m\\x1b\\u{202e}\\u{2028}\\r\n")
    #expect(PrintableText.lines(PrintableText.lines(lines)) == PrintableText.lines(lines))
    #expect(PrintableText.commandLine(Array("cat\0-\0\0".utf8)) == "cat -")
    #expect(PrintableText.commandLine([0, 0]) == nil)
    let passwd = Array("root:x:0:0::/root:/bin/sh\nbroken\n:x:9:\nweb:x:33:33::/:\n".utf8)
    #expect(PortHolder.userName(of: 33, inPasswd: passwd) == "web")
    #expect(PortHolder.userName(of: 9, inPasswd: passwd) == nil)
    #expect(PortHolder.userName(of: 34, inPasswd: passwd) == nil)
  }
}
