import GracefulShutdown
import Logging
import NIOHTTP1
import RepositoryWorker
import Synchronization

extension Logger {
  static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

/// A service over some git, and requests to it as a client makes them.
struct TestService {
  let shutdown: ShutdownCoordinator
  let mcp: MCPEndpoint
  let service: WorkerService

  init(
    _ git: any GitRunning = FakeGit(), sessionLimit: Int = 256,
    timeouts: ShutdownTimeouts = ShutdownTimeouts()
  ) {
    self.shutdown = ShutdownCoordinator(timeouts: timeouts, logger: .silent)
    self.mcp = MCPEndpoint(
      methods: MCPMethods(repository: Repository(name: "test", git: git), serverVersion: "1"),
      shutdown: self.shutdown, sessionLimit: sessionLimit)
    self.service = WorkerService(mcp: self.mcp, shutdown: self.shutdown)
  }

  static let headers: HTTPHeaders = [
    "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
  ]

  func response(_ request: WorkerRequest) async throws -> WorkerResponse {
    guard case .response(let response) = await self.service.respond(to: request) else {
      throw Unexpected("an event stream")
    }
    return response
  }

  func post(_ body: String, session: String? = nil, headers: HTTPHeaders = [:]) async throws -> WorkerResponse
  {
    var all = TestService.headers
    if let session { all.add(name: "Mcp-Session-Id", value: session) }
    for (name, value) in headers { all.replaceOrAdd(name: name, value: value) }
    return try await self.response(WorkerRequest(.POST, "/mcp", headers: all, body: Array(body.utf8)))
  }

  static func initializeBody(version: String = "2025-11-25") -> String {
    """
    {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"\(version)",\
    "capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
    """
  }

  /// Opens a session and returns its id.
  func open(version: String = "2025-11-25") async throws -> String {
    let response = try await self.post(TestService.initializeBody(version: version))
    guard let session = response.headers.first(name: "Mcp-Session-Id") else {
      throw Unexpected("no session: \(response.status)")
    }
    return session
  }

  static func toolCall(_ name: String, _ arguments: String, id: Int = 1) -> String {
    """
    {"jsonrpc":"2.0","id":\(id),"method":"tools/call","params":{"name":"\(name)","arguments":\(arguments)}}
    """
  }
}

struct Unexpected: Error {
  var description: String
  init(_ description: String) { self.description = description }
}

extension WorkerResponse {
  var json: JSONValue { get throws { try JSONValue(parsing: self.body) } }
  var errorCode: Int64? { get throws { try self.json["error"]?["code"]?.integerValue } }
}

extension JSONValue {
  subscript(index: Int) -> JSONValue? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// Of a tool's result.
  var texts: [String] {
    guard case .array(let content)? = self["result"]?["content"] else { return [] }
    return content.compactMap { $0["text"]?.stringValue }
  }

  var isToolError: Bool? {
    guard case .boolean(let value)? = self["result"]?["isError"] else { return nil }
    return value
  }
}

final class RecordingSink: EventSink {
  private let state = Mutex<(messages: [JSONValue], isEnded: Bool)>(([], false))

  var isEnded: Bool { self.state.withLock { $0.isEnded } }
  func send(_ message: JSONValue) { self.state.withLock { $0.messages.append(message) } }
  func end() { self.state.withLock { $0.isEnded = true } }
}
