import ProcCtl
import Supervision
import Testing

/// What a worker says to a request to stop, and what is made of it.
@Suite struct StopReplyTests {
  @Test func countsAreRead() {
    let body = #"{"status": "draining", "clients": {"connected": 3, "requests": 2, "oldest": "1s"}}"#
    #expect(StopReply.clients(in: Array(body.utf8)) == ReportedClients(connected: 3, requests: 2))
    let short = #"{"clients": {"connected": 1}}"#
    #expect(StopReply.clients(in: Array(short.utf8)) == ReportedClients(connected: 1, requests: 0))
  }

  @Test(arguments: [
    "", "ok\n", "null", "[]", "{}", #"{"clients": 3}"#, #"{"clients": {}}"#,
    #"{"clients": {"connected": -1}}"#,
    #"{"clients": {"connected": "3"}}"#, #"{"clients": {"connected": 1.5}}"#,
    #"{"clients": {"connected": 1e400}}"#, #"{"clients": {"connected": 99999999999999999999}}"#,
    #"{"clients": {"connected": 1, "requests": -2}}"#, #"{"clients": {"connected": 1}"#,
    String(repeating: "[", count: 10_000), String(repeating: #"{"clients":"#, count: 2000),
  ])
  func anythingElseSaysNothing(text: String) {
    #expect(StopReply.clients(in: Array(text.utf8)) == nil)
    #expect(StopReply.clients(in: [0xff, 0xfe] + Array(text.utf8)) == nil)
  }

  @Test func theStatusIsTheAnswer() {
    let counts = Array(#"{"clients": {"connected": 3, "requests": 0}}"#.utf8)
    #expect(
      StopAnswer(.success(HTTPResponse(status: 202, body: counts)), head: nil)
        == .agreed(ReportedClients(connected: 3, requests: 0)))
    #expect(StopAnswer(.success(HTTPResponse(status: 204)), head: nil) == .agreed(nil))
    #expect(
      StopAnswer(.success(HTTPResponse(status: 404, body: counts)), head: nil) == .refused("HTTP status 404"))
    // Cut off at the limit it is not JSON, or not what was meant.
    #expect(
      StopAnswer(.success(HTTPResponse(status: 200, body: counts, isBodyTruncated: true)), head: nil)
        == .agreed(nil))
    #expect(StopAnswer(.failure(.refused), head: nil) == .refused("connection refused"))
    #expect(StopAnswer(.failure(.cancelled), head: nil) == nil)
    // It said yes, and then the body did not come.
    let head = HTTPResponse(status: 200)
    #expect(StopAnswer(.failure(.timedOut(.receiving)), head: head) == .agreed(nil))
    #expect(StopAnswer(.failure(.closedEarly), head: head) == .agreed(nil))
    #expect(
      StopAnswer(.failure(.closedEarly), head: HTTPResponse(status: 500))
        == .refused("the connection was closed before the response was complete"))
  }
}

/// Which connections are a worker's clients.
@Suite struct ClientConnectionsTests {
  private func entry(
    _ state: SocketState, _ local: InternetAddress = .loopbackV4, remote: UInt16 = 40000, inode: UInt32
  ) -> SocketEntry {
    SocketEntry(
      state: state, localAddress: local, localPort: 8080, remoteAddress: .loopbackV4,
      remotePort: state == .listen ? 0 : remote, inode: inode, uid: 0)
  }

  private let worker: Set<ProcessIdentifier> = [ProcessIdentifier(10)]

  private func connections(
    _ entries: [SocketEntry], owners: [UInt32: [ProcessIdentifier]] = [:],
    unreadable: [ProcessIdentifier] = [],
    members: Set<ProcessIdentifier>? = [ProcessIdentifier(10)], ours: [SocketAddress] = []
  ) -> ClientConnections {
    ClientConnections(
      port: 8080, entries: entries, owners: SocketOwners(owners: owners, unreadable: unreadable),
      members: members, ours: ours)
  }

  @Test func theWorkersOwnEndsAreItsClients() {
    let found = self.connections(
      [self.entry(.established, inode: 1), self.entry(.established, inode: 2)],
      owners: [1: [ProcessIdentifier(10)]])
    #expect(found.own.map(\.inode) == [1])
    // The other is somebody else's, who has the port on another address.
    #expect(found.unknown.isEmpty)
  }

  @Test func whoCannotBeLookedIntoIsCountedAndNotTouched() {
    let entries = [self.entry(.established, inode: 1)]
    #expect(self.connections(entries, unreadable: [ProcessIdentifier(10)]).unknown.count == 1)
    #expect(self.connections(entries, members: nil).unknown.count == 1)
    #expect(self.connections(entries).count == 0)
  }

  @Test func whatIsNotAcceptedBelongsToWhoListensThere() throws {
    let other = try #require(InternetAddress("127.0.0.2"))
    let entries = [
      self.entry(.listen, inode: 5), self.entry(.listen, other, inode: 6),
      self.entry(.established, remote: 1, inode: 0), self.entry(.established, other, remote: 2, inode: 0),
    ]
    let found = self.connections(entries, owners: [5: [ProcessIdentifier(10)]])
    #expect(found.own.map(\.remotePort) == [1])
    #expect(found.unknown.isEmpty)
  }

  @Test func ourOwnRequestIsNoClient() {
    let found = self.connections(
      [self.entry(.established, remote: 1, inode: 1), self.entry(.established, remote: 2, inode: 2)],
      owners: [1: [ProcessIdentifier(10)], 2: [ProcessIdentifier(10)]], ours: [.tcp(.loopbackV4, port: 2)])
    #expect(found.own.map(\.remotePort) == [1])
  }
}
