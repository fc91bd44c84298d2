internal import GracefulShutdown

/// The methods of the protocol, apart from sessions and transport: a request's params in, its result out.
package struct MCPMethods: Sendable {
  package var repository: Repository
  package var tools: [any RepositoryTool]
  package var serverVersion: String

  package init(repository: Repository, tools: [any RepositoryTool] = allTools, serverVersion: String) {
    self.repository = repository
    self.tools = tools
    self.serverVersion = serverVersion
  }

  /// The result of `initialize` and the revision that was agreed on.
  package func initialize(_ params: JSONValue?) throws(JSONRPCError) -> (
    version: ProtocolVersion, result: JSONValue
  ) {
    guard let requested = params?["protocolVersion"]?.stringValue else {
      throw JSONRPCError(.invalidParams, "protocolVersion must be a string")
    }
    guard case .object? = params?["capabilities"] else {
      throw JSONRPCError(.invalidParams, "capabilities must be an object")
    }
    guard params?["clientInfo"]?["name"]?.stringValue != nil else {
      throw JSONRPCError(.invalidParams, "clientInfo.name must be a string")
    }
    let version = ProtocolVersion.negotiated(requested: requested)
    return (
      version,
      [
        "protocolVersion": .string(version.description),
        "capabilities": self.capabilities,
        "serverInfo": self.serverInfo,
        "instructions": self.instructions,
      ]
    )
  }

  private var capabilities: JSONValue { ["tools": ["listChanged": false]] }

  package var serverInfo: JSONValue {
    ["name": "repository-worker", "title": "Repository worker", "version": .string(self.serverVersion)]
  }

  private var instructions: JSONValue {
    .string(
      "Read-only access to the history of one git repository, \(self.repository.name). Paths are relative to its root; a revision is anything git understands, HEAD if none is given. Uncommitted changes are not visible."
    )
  }

  /// How long a client may keep what does not change while this server runs, in milliseconds. It may
  /// be another version of it that is started in its place.
  private static let listLifetime: Int64 = 60_000

  /// The result of a request of a revision without sessions, with what each result has there.
  package func statelessResult(
    of method: String, params: JSONValue?, version: ProtocolVersion
  ) async throws -> JSONValue {
    var members: [String: JSONValue]
    switch method {
    case "server/discover":
      members = [
        "supportedVersions": .array(ProtocolVersion.supported.map { .string($0.description) }),
        "capabilities": self.capabilities, "serverInfo": self.serverInfo, "instructions": self.instructions,
      ]
    // These are gone.
    case "ping", "initialize": throw JSONRPCError(.methodNotFound, "unknown method \"\(method)\"")
    default:
      guard case .object(let result) = try await self.result(of: method, params: params, version: version)
      else { throw JSONRPCError(.internalError, "the result of \(method) is no object") }
      members = result
    }
    if method == "server/discover" || method == "tools/list" {
      members["ttlMs"] = .integer(MCPMethods.listLifetime)
      members["cacheScope"] = "public"
    }
    members["resultType"] = "complete"
    members["_meta"] = [RequestEnvelope.serverKey: self.serverInfo]
    return .object(members)
  }

  /// The result of any other request.
  package func result(
    of method: String, params: JSONValue?, version: ProtocolVersion
  ) async throws -> JSONValue {
    switch method {
    case "ping": return [:]
    case "tools/list":
      // There is one page only, so no cursor was ever given out.
      guard params?["cursor"] == nil else { throw JSONRPCError(.invalidParams, "unknown cursor") }
      return ["tools": .array(self.tools.map { $0.description })]
    case "tools/call": return try await self.callTool(params, version: version)
    default: throw JSONRPCError(.methodNotFound, "unknown method \"\(method)\"")
    }
  }

  private func callTool(_ params: JSONValue?, version: ProtocolVersion) async throws -> JSONValue {
    guard let name = params?["name"]?.stringValue else {
      throw JSONRPCError(.invalidParams, "name must be a string")
    }
    guard let tool = self.tools.first(where: { $0.name == name }) else {
      throw JSONRPCError(.invalidParams, "unknown tool \"\(name)\"")
    }
    do {
      let arguments = try ToolArguments(params?["arguments"], for: tool.parameters)
      let texts = try await tool.call(arguments, in: self.repository)
      return MCPMethods.toolResult(texts, isError: false)
    } catch let error as InvalidArguments {
      guard version.invalidArgumentsAreToolErrors else {
        throw JSONRPCError(.invalidParams, "\(name): \(error)")
      }
      return MCPMethods.toolResult(["\(name): \(error)"], isError: true)
    } catch let error as ToolError {
      return MCPMethods.toolResult([error.description], isError: true)
    }
  }

  private static func toolResult(_ texts: [String], isError: Bool) -> JSONValue {
    [
      "content": .array(texts.map { ["type": "text", "text": .string($0)] }),
      "isError": .boolean(isError),
    ]
  }
}
