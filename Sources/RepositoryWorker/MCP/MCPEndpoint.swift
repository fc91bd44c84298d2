package import GracefulShutdown
internal import Logging
internal import NIOHTTP1
internal import Synchronization

/// `/mcp`: the Model Context Protocol over streamable HTTP, a request in and a reply out.
package final class MCPEndpoint: Sendable {
  let methods: MCPMethods
  let shutdown: ShutdownCoordinator
  private let makeSessionID: @Sendable () -> String
  private let sessions: Mutex<SessionTable>

  package init(
    methods: MCPMethods, shutdown: ShutdownCoordinator, sessionLimit: Int = 256,
    makeSessionID: @escaping @Sendable () -> String = MCPEndpoint.randomSessionID
  ) {
    self.methods = methods
    self.shutdown = shutdown
    self.makeSessionID = makeSessionID
    self.sessions = Mutex(SessionTable(limit: sessionLimit))
  }

  package var sessionCount: Int { self.sessions.withLock { $0.count } }

  /// 128 bits from the system's generator, in hexadecimal.
  @Sendable package static func randomSessionID() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<4).map { _ in
      let digits = String(generator.next() as UInt32, radix: 16)
      return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }.joined()
  }

  package func respond(to request: WorkerRequest) async -> WorkerReply {
    let isStateless = RequestEnvelope.isUsed(by: nil, headers: request.headers)
    switch request.method {
    case .POST: return await self.post(request)
    // Without sessions there is nothing to get or to delete.
    case .GET where isStateless, .DELETE where isStateless:
      return .response(MCPEndpoint.withoutSessions(request))
    case .GET: return self.get(request)
    case .DELETE: return .response(self.delete(request))
    default: return .response(WorkerResponse(.methodNotAllowed, headers: ["Allow": "GET, POST, DELETE"]))
    }
  }

  // MARK: Sessions

  private enum Lookup {
    case session(id: String, version: ProtocolVersion)
    case refused(WorkerResponse)
  }

  /// The session the request belongs to, if its headers are in order.
  private func session(of request: WorkerRequest, id requestID: RequestID? = nil) -> Lookup {
    let named = request.headers["MCP-Protocol-Version"]
    guard named.count <= 1 else {
      return .refused(
        .error(
          .badRequest,
          JSONRPCError(.invalidRequest, "one MCP-Protocol-Version header is enough", id: requestID)))
    }
    let ids = request.headers["Mcp-Session-Id"]
    guard let id = ids.first, ids.count == 1 else {
      return .refused(
        .error(.badRequest, JSONRPCError(.noSession, "one Mcp-Session-Id header is needed", id: requestID)))
    }
    let version = self.sessions.withLock { sessions in
      sessions.touch(id)
      return sessions.version(of: id)
    }
    guard let version else {
      return .refused(.error(.notFound, JSONRPCError(.noSession, "unknown session", id: requestID)))
    }
    if let name = named.first, name != version.description {
      return .refused(
        .error(
          .badRequest,
          JSONRPCError(
            .invalidRequest, "MCP-Protocol-Version \(name) is not the one agreed on, \(version)",
            id: requestID)))
    }
    return .session(id: id, version: version)
  }

  /// Makes the stream the one that messages to the session go to; an earlier one is ended.
  ///
  /// - Returns: nil, or what to answer when there is no such session any more.
  package func attach(_ stream: any EventSink, to session: String) -> WorkerResponse? {
    let (isKnown, replaced) = self.sessions.withLock { $0.attach(stream, to: session) }
    replaced?.end()
    return isKnown ? nil : .error(.notFound, JSONRPCError(.noSession, "unknown session"))
  }

  /// The stream is gone.
  package func detach(_ stream: any EventSink, from session: String) {
    self.sessions.withLock { $0.detach(stream, from: session) }
  }

  private func get(_ request: WorkerRequest) -> WorkerReply {
    guard MediaTypes.accept(request.headers["Accept"], admits: "text/event-stream") else {
      return .response(
        .error(.notAcceptable, JSONRPCError(.invalidRequest, "Accept must include text/event-stream")))
    }
    switch self.session(of: request) {
    case .refused(let response): return .response(response)
    case .session(let id, _):
      if let reason = self.shutdown.reason { return .response(MCPEndpoint.stopping(reason, id: nil)) }
      return .eventStream(.session(id))
    }
  }

  private func delete(_ request: WorkerRequest) -> WorkerResponse {
    switch self.session(of: request) {
    case .refused(let response): return response
    case .session(let id, _):
      self.sessions.withLock { $0.close(id) }?.close()
      return WorkerResponse(.noContent)
    }
  }

  // MARK: Messages

  private func post(_ request: WorkerRequest) async -> WorkerReply {
    let message: JSONRPCMessage
    switch MCPEndpoint.message(in: request) {
    case .failure(let refusal): return .response(refusal.response)
    case .success(let read): message = read
    }
    if case .request(let id, "initialize", let params) = message,
      params?["_meta"]?[RequestEnvelope.versionKey] == nil
    {
      return .response(await self.initialize(params, id: id, request))
    }
    if RequestEnvelope.isUsed(by: message.params, headers: request.headers) {
      return await self.answerStateless(message, request)
    }
    return .response(await self.post(message, request))
  }

  private struct Refusal: Error {
    var response: WorkerResponse
  }

  /// The message in a request's body, if its headers are in order.
  private static func message(in request: WorkerRequest) -> Result<JSONRPCMessage, Refusal> {
    func refused(_ status: HTTPResponseStatus, _ error: JSONRPCError) -> Result<JSONRPCMessage, Refusal> {
      .failure(Refusal(response: .error(status, error)))
    }
    guard MediaTypes.isJSON(request.headers.first(name: "Content-Type")) else {
      return refused(
        .unsupportedMediaType, JSONRPCError(.invalidRequest, "Content-Type must be application/json"))
    }
    let accept = request.headers["Accept"]
    guard MediaTypes.accept(accept, admits: "application/json"),
      MediaTypes.accept(accept, admits: "text/event-stream")
    else {
      return refused(
        .notAcceptable,
        JSONRPCError(.invalidRequest, "Accept must include application/json and text/event-stream"))
    }
    guard let value = try? JSONValue(parsing: request.body) else {
      return refused(.badRequest, JSONRPCError(.parseError, "the body is not JSON"))
    }
    do {
      return .success(try JSONRPCMessage(value))
    } catch {
      return refused(.badRequest, error)
    }
  }

  /// A message that belongs to a session.
  private func post(_ message: JSONRPCMessage, _ request: WorkerRequest) async -> WorkerResponse {
    let requestID: RequestID? = if case .request(let id, _, _) = message { id } else { nil }
    switch self.session(of: request, id: requestID) {
    case .refused(let response): return response
    case .session(let session, let version):
      switch message {
      case .request(let id, let method, let params):
        return await self.answer(method, params, id: id, session: session, version: version)
      case .notification("notifications/cancelled", let params):
        // Unknown ids are ignored, as the protocol says: the answer may be under way.
        if let id = RequestID(params?["requestId"]) {
          self.sessions.withLock { $0.cancellation(of: id, in: session) }?()
        }
        return WorkerResponse(.accepted)
      case .notification, .response:
        return WorkerResponse(.accepted)
      }
    }
  }

  private func initialize(
    _ params: JSONValue?, id: RequestID, _ request: WorkerRequest
  ) async -> WorkerResponse {
    guard !request.headers.contains(name: "Mcp-Session-Id") else {
      return .error(.badRequest, JSONRPCError(.invalidRequest, "the session is initialized already", id: id))
    }
    do {
      return try await self.shutdown.withRequest("initialize") {
        let (version, result) = try self.methods.initialize(params)
        let session = self.makeSessionID()
        guard let remains = self.sessions.withLock({ $0.open(session, version: version) }) else {
          return .error(.serviceUnavailable, JSONRPCError(.internalError, "too many sessions", id: id))
        }
        remains.close()
        return .json(.ok, JSONRPCMessage.result(result, id: id), headers: ["Mcp-Session-Id": session])
      }
    } catch {
      return MCPEndpoint.failure(error, id: id)
    }
  }

  private func answer(
    _ method: String, _ params: JSONValue?, id: RequestID, session: String, version: ProtocolVersion
  ) async -> WorkerResponse {
    let tool = params?["name"]?.stringValue.map { " \($0)" } ?? ""
    do {
      let token = try self.shutdown.beginRequest("\(method)\(tool), id \(id) of session \(session.prefix(8))")
      defer { token.end() }
      let work = RequestTask()
      token.onCancel { work.cancel() }
      // Known before it begins: what comes meanwhile with its id is a duplicate, or cancels it.
      switch self.sessions.withLock({ $0.beginRequest(id, in: session) { work.cancel() } }) {
      case .admitted: break
      case .unknownSession:
        return .error(.notFound, JSONRPCError(.noSession, "unknown session", id: id))
      case .duplicateID:
        return .error(
          .badRequest, JSONRPCError(.invalidRequest, "a request with this id is in flight", id: id))
      }
      defer { self.sessions.withLock { $0.endRequest(id, in: session) } }
      let task = work.start { try await self.methods.result(of: method, params: params, version: version) }
      return .json(.ok, JSONRPCMessage.result(try await task.value, id: id))
    } catch {
      return MCPEndpoint.failure(error, id: id)
    }
  }

  private static func failure(_ error: any Error, id: RequestID) -> WorkerResponse {
    switch error {
    case var error as JSONRPCError:
      error.id = id
      return .error(.ok, error)
    case let error as ShutdownError:
      return MCPEndpoint.stopping(error.reason, id: id)
    case is CancellationError:
      return .error(.ok, JSONRPCError(.cancelled, "the request was cancelled", id: id))
    default:
      return .error(.ok, JSONRPCError(.internalError, "\(error)", id: id))
    }
  }

  private static func stopping(_ reason: ShutdownReason, id: RequestID?) -> WorkerResponse {
    .error(.serviceUnavailable, JSONRPCError(.stopping, "the server is stopping: \(reason)", id: id))
  }
}
