import Glibc
import ProcCtl
import Supervision
import SystemPackage
import Testing

@Suite("Probes", .serialized)
struct ProbeTests {
  private func ask(_ probe: Probe, within limit: Duration = .seconds(60)) throws -> Probe.Outcome {
    try onLoop { loop, done in
      probe.attempt(on: loop, deadline: .now.advanced(by: limit), completion: done)
    }
  }

  @Test("tcp is ready when somebody listens, and not when nobody does")
  func tcp() throws {
    let server = try ProbeTestServer { $0.waitForEnd() }
    #expect(try self.ask(.tcp(server.address)) == .ready)
    #expect(try openClients(of: server.port) == 0)
    server.stop()
    #expect(try self.ask(.tcp(server.address)) == .notReady(.refused))
  }

  @Test(
    "http is ready from 200 to 399",
    arguments: [(200, true), (204, true), (302, true), (400, false), (404, false), (503, false)])
  func http(status: Int, ready: Bool) throws {
    let server = try ProbeTestServer { connection in
      let request = connection.readRequest()
      let expected = request.hasPrefix("GET /health HTTP/1.1\r\n") && request.contains("Host: 127.0.0.1:")
      connection.send("HTTP/1.1 \(expected ? status : 599) X\r\nContent-Length: 0\r\n\r\n")
      connection.waitForEnd()
    }
    let outcome = try self.ask(.http(server.address, path: "/health"))
    #expect(outcome == (ready ? .ready : .notReady(.status(status))))
  }

  @Test("says why it is not ready")
  func reasons() throws {
    let hanging = try ProbeTestServer { $0.waitForEnd() }
    let expected = Probe.Outcome.notReady(.http(.timedOut(.waiting)))
    let outcome = try withinShortTime(.milliseconds(100), expecting: expected) {
      try self.ask(.http(hanging.address, path: "/"), within: $0)
    }
    #expect(outcome == expected)
    #expect(try self.ask(.http(.tcp(.loopbackV4, port: unusedPort()), path: "/")) == .notReady(.refused))
    #expect(Probe.Reason.http(.timedOut(.waiting)).description == "timed out waiting for a response")
    #expect(Probe.Reason.status(503).description == "HTTP status 503")
    #expect(Probe.host(of: .tcp(.loopbackV6, port: 80)) == "[::1]:80")
    #expect(Probe.host(of: .unix(path: "/run/x")) == "localhost")
  }

  @Test("can be cancelled")
  func cancel() throws {
    let server = try ProbeTestServer { $0.waitForEnd() }
    for probe in [Probe.tcp(server.address), .http(server.address, path: "/")] {
      let outcome: Probe.Outcome = try onLoop { loop, done in
        probe.attempt(on: loop, deadline: .now.advanced(by: .seconds(60)), completion: done).cancel()
      }
      #expect(outcome == .notReady(.cancelled))
    }
    #expect(try openClients(of: server.port) == 0)
  }

  @Test("start no thread: NIO's codecs run in memory")
  func threads() async {
    // In a process of its own, where no other test makes threads.
    await #expect(processExitsWith: .success) {
      let server = try ProbeTestServer { connection in
        _ = connection.readRequest()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.waitForEnd()
      }
      let before = threadCount()
      var during = 0
      let outcome: Probe.Outcome = try onLoop { loop, done in
        Probe.http(server.address, path: "/").attempt(on: loop, deadline: .now.advanced(by: .seconds(60))) {
          during = threadCount()
          done($0)
        }
      }
      #expect(outcome == .ready)
      #expect(before > 1)
      #expect(during == before)
      #expect(threadCount() == before)
    }
  }
}

private func threadCount() -> Int {
  guard let directory = opendir("/proc/self/task") else { return -1 }
  defer { closedir(directory) }
  var count = 0
  while let entry = readdir(directory) {
    if entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
  }
  return count
}

@Suite("The ownership of listeners", .serialized)
struct ProbeListenerOwnershipTests {
  private static let me = ProcessIdentifier(getpid())
  private static let (member, second, master, stranger) = (
    ProcessIdentifier(10), ProcessIdentifier(11), ProcessIdentifier(1), ProcessIdentifier(99)
  )

  private static func listener(
    _ inode: UInt32, _ address: InternetAddress = .loopbackV4, state: SocketState = .listen,
    onlyV6: Bool? = nil
  ) -> SocketEntry {
    SocketEntry(
      state: state, localAddress: address, localPort: 80, remoteAddress: .anyV4, remotePort: 0, inode: inode,
      uid: 33, acceptsOnlyV6: onlyV6)
  }

  private func verdict(
    _ listeners: [SocketEntry], _ owners: [UInt32: [ProcessIdentifier]],
    trusted: Set<ProcessIdentifier> = []
  ) -> ListenerOwnership {
    ListenerOwnership.verdict(
      listeners: listeners, owners: owners, members: [Self.member, Self.second], trusted: trusted)
  }

  private static let foreign = ListenerOwnership.foreign(
    PortHolder(pid: stranger, uid: 33, state: .listen, address: .tcp(.loopbackV4, port: 80)))

  @Test("a listener of members is the worker's")
  func owned() {
    #expect(self.verdict([Self.listener(1)], [1: [Self.member]]) == .owned)
    #expect(self.verdict([Self.listener(1)], [1: [Self.member, Self.second]]) == .owned)
    #expect(
      self.verdict([Self.listener(1), Self.listener(2)], [1: [Self.member], 2: [Self.second]]) == .owned)
  }

  @Test("a stranger makes it foreign: alone, beside the worker, or sharing its socket")
  func foreign() {
    #expect(self.verdict([Self.listener(1)], [1: [Self.stranger]]) == Self.foreign)
    let both = [Self.listener(1), Self.listener(2)]
    #expect(self.verdict(both, [1: [Self.member], 2: [Self.stranger]]) == Self.foreign)
    #expect(self.verdict(both, [2: [Self.stranger]]) == Self.foreign)
    #expect(self.verdict([Self.listener(1)], [1: [Self.member, Self.stranger]]) == Self.foreign)
  }

  @Test("the master may hold what it handed down, but not alone")
  func trusted() {
    let owners = [UInt32(1): [Self.master, Self.member]]
    #expect(self.verdict([Self.listener(1)], owners, trusted: [Self.master]) == .owned)
    #expect(self.verdict([Self.listener(1)], owners) != .owned)
    let alone = self.verdict([Self.listener(1)], [1: [Self.master]], trusted: [Self.master])
    guard case .foreign(let holder) = alone else {
      Issue.record("\(alone)")
      return
    }
    #expect(holder.pid == Self.master)
  }

  @Test("nobody, and somebody who cannot be seen")
  func noneAndUnknown() {
    #expect(self.verdict([], [:]) == .none)
    #expect(self.verdict([Self.listener(1, state: .established)], [1: [Self.member]]) == .none)
    #expect(self.verdict([Self.listener(1)], [:]) == .unknown)
    #expect(self.verdict([Self.listener(1), Self.listener(2)], [1: [Self.member]]) == .unknown)
    #expect(self.verdict([Self.listener(1), Self.listener(2)], [2: [Self.member]]) == .unknown)
  }

  @Test("the listeners that answer are those the kernel would choose")
  func answering() {
    let exact = Self.listener(1)
    let wildcard = Self.listener(2, .anyV4)
    let dual = Self.listener(3, .anyV6, onlyV6: false)
    let only = Self.listener(4, .anyV6, onlyV6: true)
    func answering(_ entries: [SocketEntry], _ address: InternetAddress) -> [UInt32] {
      ListenerOwnership.listeners(among: entries, answering: address, port: 80).map(\.inode)
    }
    #expect(answering([wildcard, exact, dual], .loopbackV4) == [1])
    #expect(answering([dual, wildcard], .loopbackV4) == [2])
    #expect(answering([dual], .loopbackV4) == [3])
    #expect(answering([only], .loopbackV4).isEmpty)
    #expect(answering([only, wildcard], .loopbackV6) == [4])
    #expect(answering([wildcard], .loopbackV6).isEmpty)
    #expect(ListenerOwnership.listeners(among: [exact], answering: .loopbackV4, port: 81).isEmpty)
  }

  @Test("a real listener of ours is ours, and foreign to another worker")
  func real() throws {
    let server = try ProbeTestServer { $0.waitForEnd() }
    func check(_ members: Set<ProcessIdentifier>) throws -> ListenerOwnership {
      try ListenerOwnership.check(address: .loopbackV4, port: server.port, members: members)
    }
    #expect(try check([Self.me]) == .owned)
    guard case .foreign(let holder) = try check([ProcessIdentifier(1)]) else {
      Issue.record("a stranger's listener was taken for the worker's")
      return
    }
    #expect(holder.pid == Self.me)
    #expect(holder.command != nil)
    server.stop()
    #expect(try check([Self.me]) == .none)
  }
}
