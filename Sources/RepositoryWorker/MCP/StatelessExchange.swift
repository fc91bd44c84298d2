internal import GracefulShutdown
internal import Logging
internal import NIOHTTP1

/// The revisions without sessions: each request says which one it speaks, and stands by itself.
extension MCPEndpoint {
  func answerStateless(_ message: JSONRPCMessage, _ request: WorkerRequest) async -> WorkerReply {
    switch message {
    case .request(let id, let method, let params):
      do {
        let envelope = try RequestEnvelope(method: method, params: params, headers: request.headers)
        if method == "subscriptions/listen" { return .eventStream(try self.subscription(params, id: id)) }
        return .response(try await self.answer(method, params, id: id, version: envelope.version))
      } catch {
        return .response(MCPEndpoint.statelessFailure(error, id: id))
      }
    case .notification:
      // There is none that says anything here: a request is cancelled by closing its connection.
      do {
        for name in request.headers["MCP-Protocol-Version"] { _ = try RequestEnvelope.version(named: name) }
        return .response(WorkerResponse(.accepted))
      } catch {
        return .response(MCPEndpoint.statelessFailure(error, id: nil))
      }
    case .response:
      return .response(
        .error(.badRequest, JSONRPCError(.invalidRequest, "this server has asked nothing", id: nil)))
    }
  }

  /// GET and DELETE, from a client of such a revision.
  static func withoutSessions(_ request: WorkerRequest) -> WorkerResponse {
    do {
      for name in request.headers["MCP-Protocol-Version"] { _ = try RequestEnvelope.version(named: name) }
      return WorkerResponse(.methodNotAllowed, headers: ["Allow": "POST"])
    } catch {
      return MCPEndpoint.statelessFailure(error, id: nil)
    }
  }

  private func subscription(_ params: JSONValue?, id: RequestID) throws -> StreamPurpose {
    guard case .object? = params?["notifications"] else {
      throw JSONRPCError(.invalidParams, "notifications must be an object")
    }
    if let reason = self.shutdown.reason {
      throw ShutdownError(.clientRefused, name: "subscription \(id)", reason: reason)
    }
    return .subscription(id, server: self.methods.serverInfo)
  }

  /// Answers a request. When its connection is closed, which cancels this task, so is the work.
  private func answer(
    _ method: String, _ params: JSONValue?, id: RequestID, version: ProtocolVersion
  ) async throws -> WorkerResponse {
    let tool = params?["name"]?.stringValue.map { " \($0)" } ?? ""
    let methods = self.methods
    let result = try await self.shutdown.withRequest("\(method)\(tool), id \(id)") {
      try await methods.statelessResult(of: method, params: params, version: version)
    }
    return .json(.ok, JSONRPCMessage.result(result, id: id))
  }

  /// An error with the status that says the same to whoever looks at headers only.
  static func statelessFailure(_ error: any Error, id: RequestID?) -> WorkerResponse {
    var answer: JSONRPCError
    var status: HTTPResponseStatus = .ok
    switch error {
    case let error as JSONRPCError:
      answer = error
      switch error.code {
      case .methodNotFound: status = .notFound
      case .parseError, .invalidRequest, .invalidParams, .headerMismatch, .unsupportedVersion:
        status = .badRequest
      default: break
      }
    case let error as ShutdownError:
      // These revisions leave no code for it.
      answer = JSONRPCError(.internalError, "the server is stopping: \(error.reason)")
      status = .serviceUnavailable
    case is CancellationError:
      answer = JSONRPCError(.cancelled, "the request was cancelled")
    default:
      answer = JSONRPCError(.internalError, "\(error)")
    }
    answer.id = id
    return .error(status, answer)
  }
}
