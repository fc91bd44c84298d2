public import GracefulShutdown
public import NIOCore

/// A client on a SwiftNIO channel.
///
/// It is told by a message written to the channel; then its connection is ended as the channel's protocol
/// wants it, and waited for until the channel is closed; it is dropped by closing the channel.
public struct ChannelClient: ShutdownClient {
  /// How a connection is ended in its protocol's own way. New ways may be added.
  public struct Ending: Sendable {
    let end: @Sendable (any Channel) -> EventLoopFuture<Void>

    /// Closes the channel for writing, so that the client reads the end of the stream and hangs up.
    public static let halfClose = Ending { channel in
      channel.close(mode: .output).flatMapError { error in
        // Closed for writing already.
        if case ChannelError.outputClosed = error { return channel.eventLoop.makeSucceededVoidFuture() }
        return channel.eventLoop.makeFailedFuture(error)
      }
    }

    /// Tells the channel's handlers by `ChannelShouldQuiesceEvent`, which those of HTTP servers understand:
    /// an idle connection is closed, another one after its current response.
    public static let quiesce = Ending { channel in
      channel.eventLoop.submit {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
      }
    }

    /// Closes the channel at once.
    public static let close = Ending { $0.close() }

    /// Another way. The future is that of having begun; the channel's closing is waited for after it.
    public static func custom(_ end: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>) -> Ending {
      Ending(end: end)
    }
  }

  /// Names the client in logs and in the report.
  public let shutdownName: String
  private let channel: any Channel
  private let ending: Ending
  private let tell: @Sendable (any Channel, ShutdownReason) -> EventLoopFuture<Void>

  /// Creates a client for a channel whose last outbound handler takes a `ByteBuffer`.
  ///
  /// - Parameters:
  ///   - channel: The connection.
  ///   - name: Names the client; nil for its address.
  ///   - message: What it is told.
  ///   - ending: How the connection is ended.
  public init(
    _ channel: any Channel, name: String? = nil, message: ShutdownMessage = .jsonRPCLine,
    ending: Ending = .halfClose
  ) {
    self.init(channel, name: name, ending: ending) { channel, reason in
      let bytes = message.bytes(for: reason)
      guard !bytes.isEmpty else { return channel.eventLoop.makeSucceededVoidFuture() }
      return channel.writeAndFlush(channel.allocator.buffer(bytes: bytes))
    }
  }

  /// Creates a client that is told in the channel's own types.
  ///
  /// - Parameters:
  ///   - channel: The connection.
  ///   - name: Names the client; nil for its address.
  ///   - ending: How the connection is ended.
  ///   - tell: Writes the message, and returns the future of its being written. Called on any thread.
  public init(
    _ channel: any Channel, name: String? = nil, ending: Ending = .halfClose,
    tell: @escaping @Sendable (any Channel, ShutdownReason) -> EventLoopFuture<Void>
  ) {
    self.channel = channel
    self.shutdownName = name ?? channel.remoteAddress.map { "\($0)" } ?? "a client that has no address"
    self.ending = ending
    self.tell = tell
  }

  /// Writes the message. Throws `ShutdownClientLeft` if the channel is closed.
  public func notify(_ reason: ShutdownReason) async throws {
    try await self.unlessLeft { try await self.tell(self.channel, reason).get() }
  }

  /// Ends the connection and waits until the channel is closed. Throws `ShutdownClientLeft` if it was
  /// closed before, else what the ending throws.
  public func close() async throws {
    try await self.unlessLeft { try await self.ending.end(self.channel).get() }
    // How it was closed is the client's affair by now.
    try? await self.channel.closeFuture.get()
  }

  /// Closes the channel.
  public func abort() {
    self.channel.close(promise: nil)
  }

  private func unlessLeft(_ step: () async throws -> Void) async throws {
    do {
      try await step()
    } catch {
      throw self.channel.isActive ? error : ShutdownClientLeft()
    }
  }
}

extension ShutdownCoordinator {
  /// Registers the channel's client, until the channel is closed.
  ///
  /// - Throws: `ShutdownError` with code `.clientRefused` once the shutdown was initiated: close the
  ///   channel then.
  @discardableResult
  public func register(_ client: ChannelClient, until channel: any Channel) throws(ShutdownError)
    -> ShutdownRegistration
  {
    let registration = try self.register(client)
    channel.closeFuture.whenComplete { _ in registration.remove() }
    return registration
  }
}
