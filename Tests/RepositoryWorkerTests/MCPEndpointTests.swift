import GracefulShutdown
import NIOHTTP1
import RepositoryWorker
import Testing

@Suite(.timeLimit(.minutes(1))) struct MCPEndpointTests {
  // MARK: Sessions

  @Test(arguments: [
    ("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", "2025-11-25"),
    // It has no sessions, so it cannot be what a session speaks.
    ("2026-07-28", "2025-11-25"), ("x", "2025-11-25"),
  ])
  func theRevisionIsNegotiated(_ requested: String, _ agreed: String) async throws {
    let service = TestService()
    let response = try await service.post(TestService.initializeBody(version: requested))
    #expect(response.status == .ok)
    let result = try response.json["result"]
    #expect(result?["protocolVersion"]?.stringValue == agreed)
    #expect(result?["serverInfo"]?["name"] == "repository-worker")
    #expect(result?["capabilities"]?["tools"] != nil)
    let session = try #require(response.headers.first(name: "Mcp-Session-Id"))
    #expect(session.utf8.count == 32)
    #expect(service.mcp.sessionCount == 1)
    #expect(try await service.open() != session)
  }

  @Test(arguments: [
    "{}", "{\"protocolVersion\":1,\"capabilities\":{},\"clientInfo\":{\"name\":\"a\"}}",
    "{\"protocolVersion\":\"2025-11-25\",\"clientInfo\":{\"name\":\"a\"}}",
    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}",
  ])
  func anInitializeThatLacksSomethingOpensNoSession(_ params: String) async throws {
    let service = TestService()
    let response = try await service.post(
      "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":\(params)}")
    #expect(try response.errorCode == -32602)
    #expect(!response.headers.contains(name: "Mcp-Session-Id"))
    #expect(service.mcp.sessionCount == 0)
  }

  @Test func aSessionIsNeededAndMustBeKnown() async throws {
    let service = TestService()
    let ping = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"
    #expect(try await service.post(ping).status == .badRequest)
    #expect(try await service.post(ping, session: "x").status == .notFound)
    let session = try await service.open()
    let response = try await service.post(ping, session: session)
    #expect(response.status == .ok)
    #expect(try response.json == ["jsonrpc": "2.0", "id": 1, "result": [:]])
    #expect(
      try await service.post(TestService.initializeBody(), session: session).status == .badRequest)
  }

  @Test(arguments: [
    ("2025-11-25", HTTPResponseStatus.ok), ("2025-06-18", .badRequest), ("2024-11-05", .badRequest),
    ("", .badRequest),
  ])
  func theVersionHeaderMustBeTheOneAgreedOn(_ version: String, _ status: HTTPResponseStatus) async throws {
    let service = TestService()
    let session = try await service.open()
    let response = try await service.post(
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", session: session,
      headers: ["MCP-Protocol-Version": version])
    #expect(response.status == status)
  }

  @Test func deleteEndsTheSessionAndItsStream() async throws {
    let service = TestService()
    let session = try await service.open()
    let sink = RecordingSink()
    #expect(service.mcp.attach(sink, to: session) == nil)
    let delete = WorkerRequest(.DELETE, "/mcp", headers: ["Mcp-Session-Id": session])
    #expect(try await service.response(delete).status == .noContent)
    #expect(sink.isEnded)
    #expect(try await service.response(delete).status == .notFound)
    #expect(service.mcp.attach(sink, to: session)?.status == .notFound)
  }

  @Test func getOpensAStreamForASessionOnly() async throws {
    let service = TestService()
    let session = try await service.open()
    func get(_ headers: HTTPHeaders) async -> WorkerReply {
      await service.service.respond(to: WorkerRequest(.GET, "/mcp", headers: headers))
    }
    guard
      case .eventStream(.session(session)) = await get([
        "Accept": "text/event-stream", "Mcp-Session-Id": session,
      ])
    else {
      Issue.record("no stream")
      return
    }
    for (headers, status) in [
      (["Accept": "application/json", "Mcp-Session-Id": session], .notAcceptable),
      (["Accept": "text/event-stream", "Mcp-Session-Id": "x"], .notFound),
      (["Accept": "text/event-stream"], .badRequest),
    ] as [(HTTPHeaders, HTTPResponseStatus)] {
      guard case .response(let response) = await get(headers) else {
        Issue.record("a stream")
        continue
      }
      #expect(response.status == status)
    }
  }

  // MARK: Transport

  @Test func headersAreChecked() async throws {
    let service = TestService()
    let body = TestService.initializeBody()
    #expect(try await service.post(body, headers: ["Accept": "application/json"]).status == .notAcceptable)
    #expect(try await service.post(body, headers: ["Accept": "text/html"]).status == .notAcceptable)
    #expect(
      try await service.post(body, headers: ["Content-Type": "text/plain"]).status == .unsupportedMediaType)
    #expect(try await service.post(body, headers: ["Origin": "http://evil.example"]).status == .forbidden)
    #expect(try await service.post(body, headers: ["Origin": "http://localhost:3000"]).status == .ok)
    let put = try await service.response(WorkerRequest(.PUT, "/mcp"))
    #expect(put.status == .methodNotAllowed)
    #expect(put.headers.first(name: "Allow") == "GET, POST, DELETE")
  }

  @Test(arguments: [("{", -32700), ("", -32700), ("[]", -32600), ("{}", -32600)] as [(String, Int64)])
  func whatIsNoMessageIsABadRequest(_ body: String, _ code: Int64) async throws {
    let service = TestService()
    let session = try await service.open()
    let response = try await service.post(body, session: session)
    #expect(response.status == .badRequest)
    #expect(try response.errorCode == code)
    #expect(try response.json["id"] == .null)
  }

  @Test func notificationsAndResponsesAreAccepted() async throws {
    let service = TestService()
    let session = try await service.open()
    for body in [
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":99}}",
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/never-heard-of\"}",
      "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}",
    ] {
      let response = try await service.post(body, session: session)
      #expect(response.status == .accepted)
      #expect(response.body.isEmpty)
    }
    #expect(
      try await service.post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", session: "x")
        .status
        == .notFound)
  }

  // MARK: Methods

  @Test func toolsAreListedWithSchemas() async throws {
    let service = TestService()
    let session = try await service.open()
    let response = try await service.post(
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", session: session)
    guard case .array(let tools)? = try response.json["result"]?["tools"] else {
      throw Unexpected("no tools")
    }
    #expect(
      tools.compactMap { $0["name"]?.stringValue } == [
        "list_files", "read_file", "search", "log", "show_commit", "blame",
      ])
    #expect(
      tools.allSatisfy { $0["inputSchema"]?["type"] == "object" && $0["description"]?.stringValue != nil })
    #expect(tools[1]["inputSchema"]?["required"] == ["path"])
    let paged = try await service.post(
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"cursor\":\"x\"}}",
      session: session)
    #expect(try paged.errorCode == -32602)
  }

  @Test(
    arguments: [
      ("\"method\":\"resources/list\"", -32601), ("\"method\":\"tools/call\"", -32602),
      ("\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}", -32602),
      ("\"method\":\"tools/call\",\"params\":{\"name\":1}", -32602),
      ("\"method\":\"ping\",\"params\":[]", -32602),
    ] as [(String, Int64)])
  func errorsOfTheProtocol(_ members: String, _ code: Int64) async throws {
    let service = TestService()
    let session = try await service.open()
    let response = try await service.post("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\(members)}", session: session)
    #expect(try response.errorCode == code)
    #expect(try response.json["id"] == "x")
  }

  @Test func invalidArgumentsAreWhatTheRevisionSays() async throws {
    let service = TestService()
    let call = TestService.toolCall("read_file", "{\"path\":7}")
    let old = try await service.post(call, session: service.open(version: "2025-06-18"))
    #expect(try old.errorCode == -32602)
    let new = try await service.post(call, session: service.open(version: "2025-11-25"))
    #expect(try new.json.isToolError == true)
    #expect(try new.json.texts == ["read_file: argument \"path\" must be a string"])
  }

  @Test func aToolIsCalled() async throws {
    let git = FakeGit(file: "hello\n")
    let service = TestService(git)
    let response = try await service.post(
      TestService.toolCall("read_file", "{\"path\":\"./f.txt\",\"revision\":\"main\"}"),
      session: service.open())
    #expect(try response.json.texts == ["hello\n"])
    #expect(try response.json.isToolError == false)
    // What the client gave reaches git behind the marks that end its options only.
    #expect(
      git.calls == [
        ["rev-parse", "--verify", "--quiet", "--end-of-options", "main^{commit}"],
        ["ls-tree", "-z", "-l", "--full-tree", FakeGit.commit, "--", "f.txt"],
        ["cat-file", "blob", FakeGit.blob],
      ])
  }

  @Test(arguments: [
    "{\"path\":\"../f\"}", "{\"path\":\"/f\"}", "{\"path\":\"f.txt\",\"revision\":\"--output=x\"}",
    "{\"path\":\"f.txt\",\"start_line\":3,\"end_line\":2}",
  ])
  func unsafeArgumentsNeverReachGit(_ arguments: String) async throws {
    let git = FakeGit()
    let service = TestService(git)
    let response = try await service.post(
      TestService.toolCall("read_file", arguments), session: service.open())
    #expect(try response.json.isToolError == true)
    #expect(git.calls == [])
  }

  @Test func gitsOwnComplaintIsPassedOn() async throws {
    let service = TestService()
    let session = try await service.open()
    #expect(
      try await service.post(TestService.toolCall("log", "{}"), session: session).json.texts
        == ["fatal: not this one"])
    #expect(
      try await service.post(TestService.toolCall("read_file", "{\"path\":\"g\"}"), session: session).json
        .texts
        == ["no \"g\" in this commit"])
  }

  @Test func limitsAreToldApart() async throws {
    let overdue = TestService(FakeGit { _ in GitOutput(status: nil, isOverdue: true) })
    #expect(
      try await overdue.post(TestService.toolCall("log", "{}"), session: overdue.open()).json.texts
        == ["git took too long and was stopped; ask for less"])
    let long = TestService(
      FakeGit { arguments in
        arguments.first == "rev-parse"
          ? GitOutput(status: 0, output: Array("\(FakeGit.commit)\n".utf8))
          : GitOutput(status: nil, output: Array("first\0second\0thi".utf8), isTruncated: true)
      })
    #expect(
      try await long.post(TestService.toolCall("log", "{}"), session: long.open()).json.texts
        == ["first\nsecond", "[only the first 2 commits]"])
    let missing = TestService(FakeGit { _ in throw GitUnavailable("git cannot be run: gone") })
    #expect(
      try await missing.post(TestService.toolCall("log", "{}"), session: missing.open()).errorCode == -32603)
  }

  // MARK: Cancelling and stopping

  /// A service whose git hangs until its task is cancelled or the gate opened.
  func hanging() -> (service: TestService, started: Gate, gate: Gate) {
    let (started, gate) = (Gate(), Gate())
    let git = FakeGit { _ in
      started.open()
      await gate.wait()
      try Task.checkCancellation()
      return GitOutput(status: 0, output: Array("\(FakeGit.commit)\n".utf8))
    }
    return (TestService(git), started, gate)
  }

  @Test func aRequestIsCancelledByItsSessionOnly() async throws {
    let (service, started, _) = self.hanging()
    let session = try await service.open()
    let other = try await service.open()
    let cancelled =
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}"
    async let answer = service.post(TestService.toolCall("log", "{}"), session: session)
    await started.wait()
    _ = try await service.post(cancelled, session: other)
    #expect(service.shutdown.requestCount == 1)
    let duplicate = try await service.post(TestService.toolCall("log", "{}"), session: session)
    #expect(duplicate.status == .badRequest)
    _ = try await service.post(cancelled, session: session)
    #expect(try await answer.errorCode == -32800)
    #expect(service.shutdown.requestCount == 0)
  }

  @Test func endingTheSessionCancelsItsRequests() async throws {
    let (service, started, _) = self.hanging()
    let session = try await service.open()
    async let answer = service.post(TestService.toolCall("log", "{}"), session: session)
    await started.wait()
    _ = try await service.response(WorkerRequest(.DELETE, "/mcp", headers: ["Mcp-Session-Id": session]))
    #expect(try await answer.errorCode == -32800)
  }

  @Test func stoppingFinishesWhatIsInFlightAndRefusesTheRest() async throws {
    let (service, started, gate) = self.hanging()
    let session = try await service.open()
    async let answer = service.post(TestService.toolCall("log", "{}"), session: session)
    await started.wait()
    let health = WorkerRequest(.GET, "/health")
    #expect(try await service.response(health).status == .ok)
    let stop = try await service.response(WorkerRequest(.POST, "/shutdown"))
    #expect(stop.status == .accepted)
    #expect(try stop.json == ["status": "shutting down", "clients": ["connected": 0, "requests": 1]])
    let unhealthy = try await service.response(health)
    #expect(unhealthy.status == .serviceUnavailable)
    #expect(try unhealthy.json["status"] == "stopping")
    #expect(
      try await service.post("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}", session: session).status
        == .serviceUnavailable)
    #expect(try await service.post(TestService.initializeBody()).status == .serviceUnavailable)
    // Cancelling helps us to stop, so it still works.
    #expect(
      try await service.post(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":9}}",
        session: session
      ).status == .accepted)
    gate.open()
    #expect(try await answer.status == .ok)
    let report = await service.shutdown.report
    #expect(report.isClean)
    #expect(report.phases.first?.total == 1)
  }
}
