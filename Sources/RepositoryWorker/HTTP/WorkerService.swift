package import GracefulShutdown
internal import NIOHTTP1

/// Everything this server answers, by path.
package struct WorkerService: Sendable {
  package let mcp: MCPEndpoint
  package let shutdown: ShutdownCoordinator

  package let hosts: HostPolicy

  package init(mcp: MCPEndpoint, shutdown: ShutdownCoordinator, hosts: HostPolicy = HostPolicy()) {
    self.mcp = mcp
    self.shutdown = shutdown
    self.hosts = hosts
  }

  package func respond(to request: WorkerRequest) async -> WorkerReply {
    guard !request.isLocal || self.hosts.admits(request.headers["Host"]) else {
      return .response(
        .error(.misdirectedRequest, JSONRPCError(.invalidRequest, "this is no server of that name")))
    }
    guard OriginPolicy.admits(request.headers["Origin"]) else {
      return .response(
        .error(.forbidden, JSONRPCError(.invalidRequest, "this origin may not use this server")))
    }
    switch request.path {
    case "/mcp": return await self.mcp.respond(to: request)
    case "/health": return .response(self.health(request))
    case "/shutdown": return .response(self.stop(request))
    default: return .response(.json(.notFound, ["error": "not found"]))
    }
  }

  private func health(_ request: WorkerRequest) -> WorkerResponse {
    guard request.method == .GET || request.method == .HEAD else {
      return WorkerResponse(.methodNotAllowed, headers: ["Allow": "GET, HEAD"])
    }
    return .json(
      self.shutdown.isShuttingDown ? .serviceUnavailable : .ok,
      [
        "status": self.shutdown.isShuttingDown ? "stopping" : "ok",
        "phase": .string(self.shutdown.phase.name),
        "sessions": .integer(Int64(self.mcp.sessionCount)),
        "clients": .integer(Int64(self.shutdown.clientCount)),
        "requests": .integer(Int64(self.shutdown.requestCount)),
      ])
  }

  private func stop(_ request: WorkerRequest) -> WorkerResponse {
    guard request.method == .POST else {
      return WorkerResponse(.methodNotAllowed, headers: ["Allow": "POST"])
    }
    // Counted before it begins, because it may be over before this answer is read.
    let clients = self.shutdown.clientCount
    let requests = self.shutdown.requestCount
    self.shutdown.initiate(reason: .requested(by: "POST /shutdown"))
    return .json(
      .accepted,
      [
        "status": "shutting down",
        "clients": ["connected": .integer(Int64(clients)), "requests": .integer(Int64(requests))],
      ])
  }
}
