import GracefulShutdown
import GracefulShutdownNIO
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Real connections over the loopback address.
@Suite(.timeLimit(.minutes(1))) struct ChannelClientTests {
  /// Keeps what arrives until the stream ends, and hangs up then, or not.
  private final class Peer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    let hangsUp: Bool
    let received = Mutex("")
    let ended: EventLoopPromise<String>

    init(hangsUp: Bool, ended: EventLoopPromise<String>) {
      self.hangsUp = hangsUp
      self.ended = ended
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let text = String(buffer: self.unwrapInboundIn(data))
      self.received.withLock { $0 += text }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      guard case ChannelEvent.inputClosed = event else { return }
      self.ended.succeed(self.received.withLock { $0 })
      if self.hangsUp { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
      self.ended.succeed(self.received.withLock { $0 })
    }
  }

  /// Closes its channel when that is to quiesce.
  private final class Quiescing: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if event is ChannelShouldQuiesceEvent { context.close(promise: nil) }
    }
  }

  private struct Connection {
    var server: any Channel
    var client: any Channel
    var ended: EventLoopFuture<String>
  }

  private func connected(
    hangsUp: Bool = true, _ body: (Connection) async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let accepted = group.next().makePromise(of: (any Channel).self)
    let ended = group.next().makePromise(of: String.self)
    let listener = try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        accepted.succeed(channel)
        return channel.eventLoop.makeSucceededVoidFuture()
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let client = try await ClientBootstrap(group: group)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelInitializer { $0.pipeline.addHandler(Peer(hangsUp: hangsUp, ended: ended)) }
      .connect(to: try #require(listener.localAddress)).get()
    let server = try await accepted.futureResult.get()
    try await body(Connection(server: server, client: client, ended: ended.futureResult))
    for channel in [listener, client, server] { try? await channel.close() }
    try await group.shutdownGracefully()
  }

  @Test func itIsToldAndReadsTheEnd() async throws {
    try await self.connected { connection in
      let coordinator = ShutdownCoordinator(logger: .silent)
      try coordinator.register(ChannelClient(connection.server, name: "peer"), until: connection.server)
      coordinator.initiate(reason: .signal("SIGTERM"))
      #expect(
        try await connection.ended.get()
          == #"{"jsonrpc":"2.0","method":"notifications/shutdown","params":{"reason":"received SIGTERM"}}"#
          + "\n")
      let report = await coordinator.report
      #expect(report.isClean)
      // Its channel's end and the return of its closing come at the same time.
      #expect(report.clients.closed + report.clients.left == 1)
      #expect(!connection.server.isActive)
    }
  }

  @Test func itIsEndedAsItsProtocolWants() async throws {
    let endings: [ChannelClient.Ending] = [.quiesce, .custom { $0.close(mode: .output) }]
    for ending in endings {
      try await self.connected { connection in
        try await connection.server.pipeline.addHandler(Quiescing()).get()
        let coordinator = ShutdownCoordinator(logger: .silent)
        try coordinator.register(
          ChannelClient(connection.server, ending: ending), until: connection.server)
        coordinator.initiate(reason: .signal("SIGTERM"))
        let report = await coordinator.report
        #expect(report.isClean && report.clients.dropped == 0)
        #expect(!connection.server.isActive)
      }
    }
  }

  @Test func oneThatStaysIsClosedByForce() async throws {
    try await self.connected(hangsUp: false) { connection in
      let timeouts = ShutdownTimeouts(clients: .milliseconds(300))
      let coordinator = ShutdownCoordinator(timeouts: timeouts, logger: .silent)
      try coordinator.register(ChannelClient(connection.server, name: "stays"), until: connection.server)
      coordinator.initiate(reason: "test")
      let report = await coordinator.report
      #expect(report.clients.dropped == 1)
      #expect(report.failures.map(\.name) == ["stays"])
      try await connection.server.closeFuture.get()
    }
  }

  @Test func oneThatLeftBeforeIsForgotten() async throws {
    try await self.connected { connection in
      let coordinator = ShutdownCoordinator(logger: .silent)
      try coordinator.register(ChannelClient(connection.server), until: connection.server)
      #expect(coordinator.clientCount == 1)
      try await connection.client.close()
      try await connection.server.closeFuture.get()
      coordinator.initiate(reason: "test")
      #expect(await coordinator.report.clients.total == 0)
    }
  }

  @Test func oneWhoseChannelIsClosedHasLeft() async throws {
    try await self.connected { connection in
      let coordinator = ShutdownCoordinator(logger: .silent)
      _ = try coordinator.register(ChannelClient(connection.server))
      try await connection.server.close()
      coordinator.initiate(reason: "test")
      let report = await coordinator.report
      #expect(report.clients.left == 1)
      #expect(report.isClean)
    }
  }

  @Test func itsProtocolsOwnWayCanBeTold() async throws {
    try await self.connected { connection in
      let coordinator = ShutdownCoordinator(logger: .silent)
      let client = ChannelClient(connection.server, ending: .close) { channel, reason in
        channel.writeAndFlush(ByteBuffer(string: "bye: \(reason)"))
      }
      try coordinator.register(client, until: connection.server)
      coordinator.initiate(reason: "test")
      #expect(try await connection.ended.get() == "bye: test")
      #expect(await coordinator.report.isClean)
    }
  }
}
