import Glibc
import GracefulShutdown
import NIOHTTP1
import RepositoryWorker
import SystemPackage
import Testing

/// Real sockets, with git as a fake.
@Suite(.timeLimit(.minutes(1))) struct WorkerServerTests {
  struct Running {
    let test: TestService
    let server: WorkerServer
    let port: Int
    let run: Task<ShutdownReport, Never>

    /// - Parameter connectionTimeout: Too long to pass unnoticed: the test would take longer than it may.
    init(
      _ test: TestService = TestService(), on socket: ListeningSocket = .address(host: "127.0.0.1", port: 0),
      requestTimeout: Duration = .seconds(30), connectionTimeout: Duration = .seconds(600)
    ) async throws {
      self.test = test
      let server = try await WorkerServer.start(
        on: socket, service: test.service, logger: .silent, requestTimeout: requestTimeout,
        connectionTimeout: connectionTimeout)
      self.server = server
      guard let port = server.port else { throw Unexpected("no port") }
      self.port = port
      self.run = Task { await server.run() }
    }

    func stop() async -> ShutdownReport {
      self.test.shutdown.initiate(reason: "test")
      return await self.run.value
    }
  }

  static func post(_ body: String, session: String? = nil, close: Bool = false) -> String {
    """
    POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
    Accept: application/json, text/event-stream\r\n\(session.map { "Mcp-Session-Id: \($0)\r\n" } ?? "")\
    \(close ? "Connection: close\r\n" : "")Content-Length: \(body.utf8.count)\r\n\r\n\(body)
    """
  }

  static func get(session: String) -> String {
    "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: \(session)\r\n\r\n"
  }

  static let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"

  @Test func requestsFollowOneAnotherOnAConnection() async throws {
    let running = try await Running()
    let connection = try await RawConnection.connect(to: running.port)
    try await connection.send(Self.health + Self.post(TestService.initializeBody()) + Self.health)
    let text = await connection.read { $0.components(of: "HTTP/1.1 200 OK") == 3 && $0.hasSuffix("\"ok\"}") }
    #expect(text.components(of: "HTTP/1.1 200 OK") == 3)
    #expect(text.contains("\"sessions\":1"))
    #expect(await running.stop().isClean)
    #expect(await connection.readToEnd().components(of: "HTTP/1.1") == 3)
  }

  @Test func aConnectionIsClosedWhenTheClientWantsIt() async throws {
    let running = try await Running()
    let connection = try await RawConnection.connect(to: running.port)
    try await connection.send(Self.post(TestService.initializeBody(), close: true))
    let text = await connection.readToEnd()
    #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(text.contains("Connection: close\r\n"))
    _ = await running.stop()
  }

  @Test func aRequestThatDoesNotComeToItsEndIsNotWaitedFor() async throws {
    // Enough for what is sent at once to come in time, on a busy machine too.
    let running = try await Running(requestTimeout: .seconds(3))
    // The control: one that is idle after a request is kept.
    let idle = try await RawConnection.connect(to: running.port)
    try await idle.send(Self.health)
    await idle.read { $0.hasSuffix("}") }
    var stalled: [(connection: RawConnection, answer: String)] = []
    for start in [
      "GET /health HTT", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
    ] {
      let connection = try await RawConnection.connect(to: running.port)
      try await connection.send(Self.health)
      let answer = await connection.read { $0.hasSuffix("}") }
      #expect(answer.components(of: "HTTP/1.1") == 1)
      try await connection.send(start)
      stalled.append((connection, answer))
    }
    let silent = try await RawConnection.connect(to: running.port)
    for (connection, answer) in stalled {
      #expect(await connection.readToEnd() == answer, "it is closed without another answer")
    }
    #expect(await silent.readToEnd() == "")
    try await idle.send(Self.health)
    let text = await idle.read { $0.components(of: "HTTP/1.1 200 OK") == 2 }
    #expect(text.components(of: "HTTP/1.1 200 OK") == 2)
    #expect(await running.stop().isClean)
  }

  @Test func aNameThatIsNotThisMachinesIsMisdirected() async throws {
    let running = try await Running()
    let connection = try await RawConnection.connect(to: running.port)
    try await connection.send(Self.health.replacing("localhost", with: "evil.example"))
    #expect(await connection.read { $0.hasSuffix("}") }.hasPrefix("HTTP/1.1 421 Misdirected Request\r\n"))
    try await connection.send("POST /shutdown HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    await connection.read { $0.components(of: "421") == 2 }
    #expect(!running.test.shutdown.isShuttingDown)
    // Who comes by another way than a loopback address may call it what it is called there.
    let remote = WorkerRequest(.GET, "/health", headers: ["Host": "evil.example"], isLocal: false)
    #expect(try await running.test.response(remote).status == .ok)
    _ = await running.stop()
  }

  @Test func whatIsNotHTTPIsABadRequest() async throws {
    let running = try await Running()
    let connection = try await RawConnection.connect(to: running.port)
    try await connection.send("this is not HTTP\r\n\r\n")
    #expect(await connection.readToEnd().hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
    _ = await running.stop()
  }

  @Test func bodiesOverTheLimitAreRefused() async throws {
    let running = try await Running()
    // Once by what it says of its length, once by what comes.
    let told = try await RawConnection.connect(to: running.port)
    try await told.send(
      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n")
    let answer = await told.read { $0.hasSuffix("}") }
    #expect(answer.hasPrefix("HTTP/1.1 413 Payload Too Large\r\n"))
    told.close()
    let chunked = try await RawConnection.connect(to: running.port)
    try await chunked.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    let chunk = String(repeating: "x", count: 0x10000)
    for _ in 0..<20 { try await chunked.send("10000\r\n\(chunk)\r\n") }
    try await chunked.send("0\r\n\r\n")
    #expect(await chunked.readToEnd().hasPrefix("HTTP/1.1 413 Payload Too Large\r\n"))
    // One just below it is read to its end.
    let below = try await RawConnection.connect(to: running.port)
    try await below.send(Self.post(String(repeating: " ", count: 1 << 20)))
    #expect(await below.read { $0.hasSuffix("}") }.contains("-32700"))
    #expect(await running.stop().isClean)
  }

  @Test func anExpectedBodyIsAskedFor() async throws {
    let running = try await Running()
    let connection = try await RawConnection.connect(to: running.port)
    let request = Self.post("{").dropLast().replacing("Host:", with: "Expect: 100-continue\r\nHost:")
    try await connection.send(String(request))
    #expect(await connection.read { $0.hasSuffix("\r\n\r\n") } == "HTTP/1.1 100 Continue\r\n\r\n")
    try await connection.send("{")
    #expect(await connection.read { $0.hasSuffix("}") }.contains("HTTP/1.1 400 Bad Request\r\n"))
    _ = await running.stop()
  }

  @Test func stoppingTellsStreamsAndClosesIdleConnectionsAtOnce() async throws {
    let running = try await Running()
    let session = try await running.test.open()
    let stream = try await RawConnection.connect(to: running.port)
    try await stream.send(Self.get(session: session))
    await stream.read { $0.contains(": open\n\n") }
    #expect(running.test.shutdown.clientCount == 1)
    let idle = try await RawConnection.connect(to: running.port)
    try await idle.send(Self.health)
    await idle.read { $0.hasSuffix("}") }
    let silent = try await RawConnection.connect(to: running.port)
    let stopping = try await RawConnection.connect(to: running.port)
    try await stopping.send("POST /shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n")
    let answer = await stopping.readToEnd()
    let report = await running.run.value
    #expect(report.isClean, "the last phase was not ended by force")
    #expect(answer.hasPrefix("HTTP/1.1 202 Accepted\r\n"))
    #expect(answer.contains("\r\nContent-Type: application/json\r\n"))
    #expect(
      answer.hasSuffix("{\"clients\":{\"connected\":1,\"requests\":0},\"status\":\"shutting down\"}"))
    let events = await stream.readToEnd()
    #expect(events.contains("Content-Type: text/event-stream\r\n"))
    #expect(events.contains("\"method\":\"notifications/shutdown\""))
    #expect(events.hasSuffix("\r\n0\r\n\r\n"), "the stream ended with its last chunk")
    #expect(!(await idle.readToEnd().isEmpty))
    #expect(await silent.readToEnd() == "")
    await #expect(throws: (any Error).self) { try await RawConnection.connect(to: running.port) }
  }

  @Test func aRequestInFlightIsAnsweredBeforeTheEnd() async throws {
    let (started, gate) = (Gate(), Gate())
    let git = FakeGit { arguments in
      started.open()
      await gate.wait()
      return GitOutput(
        status: 0, output: Array((arguments.first == "rev-parse" ? "\(FakeGit.commit)\n" : "found\0").utf8))
    }
    let running = try await Running(TestService(git))
    let session = try await running.test.open()
    let connection = try await RawConnection.connect(to: running.port)
    try await connection.send(Self.post(TestService.toolCall("log", "{}"), session: session))
    await started.wait()
    let other = try await RawConnection.connect(to: running.port)
    try await other.send("POST /shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(await other.readToEnd().contains("\"requests\":1"))
    // Somebody new is told, and not just turned away.
    let late = try await RawConnection.connect(to: running.port)
    try await late.send(Self.health)
    #expect(await late.readToEnd().hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
    let refused = try await RawConnection.connect(to: running.port)
    try await refused.send(Self.post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", session: session))
    #expect(await refused.readToEnd().contains("-32000"))
    gate.open()
    let text = await connection.readToEnd()
    #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(text.contains("found"))
    #expect(await running.run.value.isClean)
  }

  @Test func aClientThatNeverReadsIsDroppedInTheEnd() async throws {
    let running = try await Running(connectionTimeout: .milliseconds(300))
    let connection = try await RawConnection.connect(to: running.port)
    // Half a request: it is never complete, so its connection is not idle.
    try await connection.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
    let other = try await RawConnection.connect(to: running.port)
    try await other.send(Self.health)
    await other.read { $0.hasSuffix("}") }
    let report = await running.stop()
    #expect(report.failures.map(\.name) == ["connections"])
    #expect(await connection.readToEnd() == "")
  }

  @Test func aStreamEndsWithItsSessionAndTheConnectionStays() async throws {
    let running = try await Running()
    let session = try await running.test.open()
    let connection = try await RawConnection.connect(to: running.port)
    try await connection.send(Self.get(session: session))
    await connection.read { $0.contains(": open\n\n") }
    let other = try await RawConnection.connect(to: running.port)
    try await other.send("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: \(session)\r\n\r\n")
    #expect(await other.read { $0.hasSuffix("\r\n\r\n") }.hasPrefix("HTTP/1.1 204 No Content\r\n"))
    await connection.read { $0.hasSuffix("0\r\n\r\n") }
    try await connection.send(Self.health)
    let text = await connection.read { $0.hasSuffix("\"ok\"}") }
    #expect(text.contains("\"clients\":0"))
    #expect(await running.stop().isClean)
  }

  @Test func aClientThatGoesIsForgotten() async throws {
    let running = try await Running()
    let session = try await running.test.open()
    let connection = try await RawConnection.connect(to: running.port)
    try await connection.send(Self.get(session: session))
    await connection.read { $0.contains(": open\n\n") }
    // A second one takes its place: the first ends.
    let second = try await RawConnection.connect(to: running.port)
    try await second.send(Self.get(session: session))
    await second.read { $0.contains(": open\n\n") }
    await connection.read { $0.hasSuffix("0\r\n\r\n") }
    connection.close()
    second.close()
    #expect(await running.stop().isClean)
  }

  @Test func aPortInUseIsOneLine() async throws {
    let running = try await Running()
    await #expect(
      throws: WorkerError("cannot listen on 127.0.0.1:\(running.port): Address already in use")
    ) {
      _ = try await WorkerServer.start(
        on: .address(host: "127.0.0.1", port: running.port), service: TestService().service, logger: .silent)
    }
    _ = await running.stop()
  }

  @Test func anInheritedSocketStaysOpenForItsOwner() async throws {
    let owner = try BoundSocket()
    defer { owner.close() }
    let handedDown = try FileDescriptor(rawValue: owner.descriptor).duplicate()
    let first = try await Running(on: .inherited(handedDown))
    #expect(first.port == owner.port)
    let idle = try await RawConnection.connect(to: owner.port)
    try await idle.send(Self.health)
    await idle.read { $0.hasSuffix("}") }
    #expect(await first.stop().isClean)
    // While nobody accepts, a connection waits; the next one to serve answers it.
    let waiting = try await RawConnection.connect(to: owner.port)
    try await waiting.send(Self.health)
    let second = try await Running(on: .inherited(FileDescriptor(rawValue: owner.descriptor).duplicate()))
    #expect(await waiting.read { $0.hasSuffix("}") }.hasPrefix("HTTP/1.1 200 OK\r\n"))
    _ = await second.stop()
  }

  @Test func whatIsNoListeningSocketIsRefused() async throws {
    let bound = try BoundSocket(isListening: false)
    defer { bound.close() }
    let pipe = try FileDescriptor.pipe()
    defer {
      try? pipe.readEnd.close()
      try? pipe.writeEnd.close()
    }
    for descriptor in [bound.descriptor, pipe.readEnd.rawValue, 999] {
      await #expect(throws: WorkerError.self) {
        _ = try await WorkerServer.start(
          on: .inherited(FileDescriptor(rawValue: descriptor)), service: TestService().service,
          logger: .silent)
      }
    }
  }

  @Test func theVariablesOfAnotherProcessMeanNothing() throws {
    func inherited(_ variables: [String: String]) throws -> FileDescriptor? {
      try ListeningSocket.inherited(environment: { variables[$0] }, processIdentifier: 7)
    }
    #expect(try inherited([:]) == nil)
    #expect(try inherited(["LISTEN_FDS": "1", "LISTEN_PID": "8"]) == nil)
    #expect(try inherited(["LISTEN_FDS": "1"]) == nil)
    #expect(try inherited(["LISTEN_FDS": "1", "LISTEN_PID": "7"]) == FileDescriptor(rawValue: 3))
    #expect(throws: WorkerError.self) { try inherited(["LISTEN_FDS": "2", "LISTEN_PID": "7"]) }
    #expect(throws: WorkerError.self) { try inherited(["LISTEN_FDS": "x", "LISTEN_PID": "7"]) }
  }
}

extension String {
  func components(of text: String) -> Int { self.ranges(of: text).count }
}

/// A socket on a free port of 127.0.0.1.
struct BoundSocket {
  let descriptor: Int32
  let port: Int

  init(isListening: Bool = true) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
      }
    }
    guard status == 0, !isListening || listen(descriptor, 16) == 0 else { throw Errno(rawValue: errno) }
    self.descriptor = descriptor
    self.port = Int(UInt16(bigEndian: address.sin_port))
  }

  func close() { Glibc.close(self.descriptor) }
}
