package import GracefulShutdown
package import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import SystemPackage

/// The HTTP server, from its socket to its end. One event loop serves all connections.
package final class WorkerServer: Sendable {
  private let service: WorkerService
  private let listener: any Channel
  private let connections: Connections
  private let isInherited: Bool

  package var shutdown: ShutdownCoordinator { self.service.shutdown }

  /// The port it listens on; nil for a socket that has none.
  package var port: Int? { self.listener.localAddress?.port }

  /// Listens and serves from then on. Everything it opens is closed by the cleanups of the service's
  /// coordinator.
  ///
  /// - Parameters:
  ///   - requestTimeout: For a request to arrive once it has begun.
  ///   - connectionTimeout: For connections to end by themselves after the last response, before they are
  ///     closed by force.
  /// - Throws: `WorkerError` when it cannot listen there.
  package static func start(
    on socket: ListeningSocket, service: WorkerService, logger: Logger,
    requestTimeout: Duration = .seconds(30), connectionTimeout: Duration = .seconds(1)
  ) async throws(WorkerError) -> WorkerServer {
    let connections = Connections()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.so_keepalive), value: 1)
      .childChannelInitializer { channel in
        connections.add(channel)
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(RequestBytesHandler())
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: true, withErrorHandling: true)
          try channel.pipeline.syncOperations.addHandler(
            HTTPConnectionHandler(service: service, requestTimeout: TimeAmount(requestTimeout)))
        }
      }
    do {
      let listener: any Channel
      var isInherited = false
      switch socket {
      case .address(let host, let port):
        listener = try await bootstrap.bind(host: host, port: port).get()
      case .inherited(let descriptor):
        try ListeningSocket.check(descriptor)
        listener = try await bootstrap.withBoundSocket(descriptor.rawValue).get()
        isInherited = true
      }
      let server = WorkerServer(
        service: service, listener: listener, connections: connections, isInherited: isInherited)
      try server.addCleanups(group, connectionTimeout)
      logger.info("listening on \(listener.localAddress.map { "\($0)" } ?? "\(socket)")")
      return server
    } catch {
      try? await group.shutdownGracefully()
      if let error = error as? WorkerError { throw error }
      throw WorkerError("cannot listen on \(socket): \(WorkerServer.reason(error))")
    }
  }

  private init(service: WorkerService, listener: any Channel, connections: Connections, isInherited: Bool) {
    self.service = service
    self.listener = listener
    self.connections = connections
    self.isInherited = isInherited
  }

  /// Serves until the shutdown is finished.
  package func run() async -> ShutdownReport {
    for await phase in self.shutdown.phases where phase != .running {
      // Whoever owns the socket too has it served by somebody else now: a connection that waits in its
      // queue is better off there. On our own, a late client is told that we stop.
      if self.isInherited {
        self.listener.close(promise: nil)
        self.connections.endWhenIdle()
      }
      break
    }
    return await self.shutdown.report
  }

  /// Run last first: no new connections, then none at all, then no event loop.
  private func addCleanups(
    _ group: MultiThreadedEventLoopGroup, _ connectionTimeout: Duration
  ) throws(ShutdownError) {
    let listener = self.listener
    let connections = self.connections
    try self.shutdown.addCleanup("event loop") { try await group.shutdownGracefully() }
    try self.shutdown.addCleanup("connections", timeout: connectionTimeout) {
      await connections.endAll()
    }
    try self.shutdown.addCleanup("listener") {
      listener.close(promise: nil)
      // However it was closed, before or now.
      try await listener.closeFuture.get()
    }
  }

  private static func reason(_ error: any Error) -> String {
    guard let error = error as? IOError else { return "\(error)" }
    return "\(Errno(rawValue: error.errnoCode))"
  }
}
