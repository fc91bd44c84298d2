import GracefulShutdown
import NIOHTTP1
import RepositoryWorker
import Testing

/// The revision without sessions, 2026-07-28.
@Suite(.timeLimit(.minutes(1))) struct StatelessTests {
  static let version = "2026-07-28"

  static func body(
    _ method: String, _ members: String = "", version: String = version, id: String = "1"
  ) -> String {
    """
    {"jsonrpc":"2.0","id":\(id),"method":"\(method)","params":{"_meta":{\
    "io.modelcontextprotocol/protocolVersion":"\(version)",\
    "io.modelcontextprotocol/clientCapabilities":{}}\(members)}}
    """
  }

  static func headers(_ method: String, name: String? = nil, version: String = version) -> HTTPHeaders {
    var headers: HTTPHeaders = ["MCP-Protocol-Version": version, "Mcp-Method": method]
    if let name { headers.add(name: "Mcp-Name", value: name) }
    return headers
  }

  /// A request whose headers are in order.
  func post(_ service: TestService, _ method: String, _ members: String = "") async throws -> WorkerResponse {
    try await service.post(Self.body(method, members), headers: Self.headers(method))
  }

  @Test func discoveryNamesEveryRevisionNewestFirst() async throws {
    let service = TestService()
    let response = try await self.post(service, "server/discover")
    #expect(response.status == .ok)
    #expect(!response.headers.contains(name: "Mcp-Session-Id"))
    let result = try #require(try response.json["result"])
    #expect(result["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18"])
    #expect(result["resultType"] == "complete")
    #expect(result["capabilities"]?["tools"] != nil)
    #expect(result["serverInfo"]?["name"] == "repository-worker")
    #expect(result["cacheScope"] == "public")
    #expect((result["ttlMs"]?.integerValue ?? -1) >= 0)
    #expect(service.mcp.sessionCount == 0)
  }

  @Test func toolsAreListedAndCalledWithoutASession() async throws {
    let service = TestService(FakeGit(file: "hello\n"))
    let list = try await self.post(service, "tools/list")
    #expect(try list.json["result"]?["tools"]?[0]?["name"] == "list_files")
    #expect(try list.json["result"]?["resultType"] == "complete")
    let call = try await service.post(
      Self.body("tools/call", ",\"name\":\"read_file\",\"arguments\":{\"path\":\"f.txt\"}"),
      headers: Self.headers("tools/call", name: "read_file"))
    #expect(call.status == .ok)
    #expect(try call.json.texts == ["hello\n"])
    #expect(try call.json["result"]?["resultType"] == "complete")
    #expect(
      try call.json["result"]?["_meta"]?["io.modelcontextprotocol/serverInfo"]?["name"] == "repository-worker"
    )
    // A session nobody knows of is not looked at.
    let named = try await service.post(
      Self.body("tools/list"), session: "x", headers: Self.headers("tools/list"))
    #expect(named.status == .ok)
    #expect(!named.headers.contains(name: "Mcp-Session-Id"))
    #expect(service.mcp.sessionCount == 0)
  }

  @Test(arguments: ["1900-01-01", "2025-11-25", ""])
  func anotherRevisionIsRefusedWithThoseThereAre(_ version: String) async throws {
    let service = TestService()
    let response = try await service.post(
      Self.body("tools/list", version: version), headers: Self.headers("tools/list", version: version))
    #expect(response.status == .badRequest)
    let error = try response.json["error"]
    #expect(error?["code"] == -32022)
    #expect(error?["data"]?["requested"]?.stringValue == version)
    #expect(error?["data"]?["supported"] == ["2026-07-28", "2025-11-25", "2025-06-18"])
    #expect(try response.json["id"] == 1)
  }

  static let contradictions: [(HTTPHeaders, String)] = [
    (["Mcp-Method": "tools/list"], "MCP-Protocol-Version is missing"),
    (
      ["Mcp-Method": "tools/list", "MCP-Protocol-Version": "2025-11-25"], "MCP-Protocol-Version does not say"
    ),
    (["MCP-Protocol-Version": version], "Mcp-Method is missing"),
    (["MCP-Protocol-Version": version, "Mcp-Method": "tools/call"], "Mcp-Method does not say"),
  ]

  @Test(arguments: contradictions)
  func headersMustSayWhatTheBodySays(_ headers: HTTPHeaders, _ complaint: String) async throws {
    let service = TestService()
    let response = try await service.post(Self.body("tools/list"), headers: headers)
    #expect(response.status == .badRequest)
    #expect(try response.errorCode == -32020)
    #expect(try response.json["error"]?["message"]?.stringValue?.contains(complaint) == true)
  }

  @Test(
    arguments: [
      ("read_file", .ok), ("=?base64?cmVhZF9maWxl?=", .ok), (nil, .badRequest), ("log", .badRequest),
      ("=?base64?bG9n?=", .badRequest), ("=?base64?****?=", .badRequest), ("READ_FILE", .badRequest),
    ] as [(String?, HTTPResponseStatus)])
  func theToolsNameIsInAHeaderToo(_ name: String?, _ status: HTTPResponseStatus) async throws {
    let git = FakeGit(file: "hello\n")
    let service = TestService(git)
    let response = try await service.post(
      Self.body("tools/call", ",\"name\":\"read_file\",\"arguments\":{\"path\":\"f.txt\"}"),
      headers: Self.headers("tools/call", name: name))
    #expect(response.status == status)
    #expect(git.calls.isEmpty == (status != .ok))
    if status != .ok { #expect(try response.errorCode == -32020) }
  }

  @Test(arguments: [
    "{}", "{\"_meta\":{}}", "{\"_meta\":[]}",
    "{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}",
    "{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":7,\"io.modelcontextprotocol/clientCapabilities\":{}}}",
  ])
  func aRequestThatDoesNotSayEnoughIsRefused(_ params: String) async throws {
    let service = TestService()
    let response = try await service.post(
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":\(params)}",
      headers: Self.headers("tools/list"))
    #expect(response.status == .badRequest)
    #expect(try response.errorCode == -32602)
  }

  @Test(arguments: ["ping", "initialize", "resources/list", "resources/subscribe"])
  func whatIsGoneIsNotFound(_ method: String) async throws {
    let response = try await self.post(TestService(), method)
    #expect(response.status == .notFound)
    #expect(try response.errorCode == -32601)
  }

  @Test func notificationsAreAcceptedAndDropped() async throws {
    let service = TestService()
    let body = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}"
    let response = try await service.post(body, headers: ["MCP-Protocol-Version": Self.version])
    #expect(response.status == .accepted)
    #expect(response.body.isEmpty)
    let unknown = try await service.post(body, headers: ["MCP-Protocol-Version": "1900-01-01"])
    #expect(unknown.status == .badRequest)
    #expect(try unknown.errorCode == -32022)
    let answer = try await service.post(
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", headers: ["MCP-Protocol-Version": Self.version])
    #expect(answer.status == .badRequest)
  }

  @Test func thereIsNothingToGetOrToDelete() async throws {
    let service = TestService()
    let session = try await service.open()
    for method in [HTTPMethod.GET, .DELETE] {
      let request = WorkerRequest(
        method, "/mcp",
        headers: [
          "MCP-Protocol-Version": Self.version, "Accept": "text/event-stream", "Mcp-Session-Id": session,
        ])
      let response = try await service.response(request)
      #expect(response.status == .methodNotAllowed)
      #expect(response.headers.first(name: "Allow") == "POST")
    }
    #expect(service.mcp.sessionCount == 1)
  }

  // MARK: Subscriptions

  static let listen = body(
    "subscriptions/listen", ",\"notifications\":{\"toolsListChanged\":true}", id: "\"s\"")

  static func raw(_ body: String, _ method: String, name: String? = nil) -> String {
    let headers = Self.headers(method, name: name).map { "\($0.name): \($0.value)\r\n" }.joined()
    return WorkerServerTests.post(body).replacing(
      "Host: localhost\r\n", with: "Host: localhost\r\n\(headers)")
  }

  @Test func aSubscriptionNeedsItsFilter() async throws {
    let response = try await self.post(TestService(), "subscriptions/listen")
    #expect(response.status == .badRequest)
    #expect(try response.errorCode == -32602)
  }

  @Test func aSubscriptionIsAcknowledgedAndAnsweredWhenTheServerStops() async throws {
    let running = try await WorkerServerTests.Running()
    let stream = try await RawConnection.connect(to: running.port)
    try await stream.send(Self.raw(Self.listen, "subscriptions/listen"))
    let opened = await stream.read { $0.contains("acknowledged") && $0.hasSuffix("\n\n\r\n") }
    #expect(opened.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(opened.contains("Content-Type: text/event-stream\r\n"))
    #expect(
      opened.contains(
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"s\"},\"notifications\":{}}}\n\n"
      ))
    #expect(!opened.contains("\"result\""), "it stays open")
    #expect(running.test.shutdown.clientCount == 1)
    #expect(await running.stop().isClean)
    let all = await stream.readToEnd()
    let last = try #require(all.split(separator: "data: ").last)
    #expect(last.contains("\"id\":\"s\""))
    #expect(last.contains("\"resultType\":\"complete\""))
    #expect(last.contains("\"io.modelcontextprotocol/subscriptionId\":\"s\""))
    #expect(!all.contains("notifications/shutdown"), "nothing comes that was not subscribed to")
    #expect(all.hasSuffix("\r\n0\r\n\r\n"), "the stream ended with its last chunk")
  }

  @Test func aClientThatLeavesEndsItsSubscription() async throws {
    let running = try await WorkerServerTests.Running()
    let stream = try await RawConnection.connect(to: running.port)
    try await stream.send(Self.raw(Self.listen, "subscriptions/listen"))
    await stream.read { $0.contains("acknowledged") }
    #expect(running.test.shutdown.clientCount == 1)
    stream.close()
    while running.test.shutdown.clientCount > 0 { await Task.yield() }
    #expect(await running.stop().isClean)
  }

  @Test func closingTheConnectionCancelsTheRequest() async throws {
    let (started, cancelled) = (Gate(), Gate())
    let git = FakeGit { _ in
      started.open()
      // A gate lets through whoever is cancelled.
      await Gate().wait()
      cancelled.open()
      try Task.checkCancellation()
      return GitOutput(status: 0)
    }
    let running = try await WorkerServerTests.Running(TestService(git))
    let connection = try await RawConnection.connect(to: running.port)
    try await connection.send(
      Self.raw(
        Self.body("tools/call", ",\"name\":\"log\",\"arguments\":{}"), "tools/call", name: "log"))
    await started.wait()
    connection.close()
    await cancelled.wait()
    #expect(await running.stop().isClean)
  }

  @Test func aServerThatStopsSubscribesNobody() async throws {
    let service = TestService()
    service.shutdown.initiate(reason: "test")
    let listen = try await service.post(Self.listen, headers: Self.headers("subscriptions/listen"))
    #expect(listen.status == .serviceUnavailable)
    #expect(try listen.errorCode == -32603)
    #expect(try await self.post(service, "tools/list").status == .serviceUnavailable)
  }
}
