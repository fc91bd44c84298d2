import NIOCore
import NIOPosix
import Synchronization

/// A connection that shows the bytes as they are on the wire.
final class RawConnection: Sendable {
  private let received: ReceivedText
  private let channel: any Channel

  private init(_ received: ReceivedText, _ channel: any Channel) {
    self.received = received
    self.channel = channel
  }

  static func connect(to port: Int) async throws -> RawConnection {
    let received = ReceivedText()
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(TextReader(received))
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
    return RawConnection(received, channel)
  }

  func send(_ text: String) async throws {
    try await self.channel.writeAndFlush(ByteBuffer(string: text)).get()
  }

  func close() {
    self.channel.close(promise: nil)
  }

  /// Everything read so far, once the condition holds. Also when the connection is closed before.
  @discardableResult
  func read(until isMet: @escaping @Sendable (String) -> Bool) async -> String {
    await self.received.until(isMet)
  }

  /// Everything that came until the connection was closed.
  func readToEnd() async -> String {
    await self.received.until { _ in false }
  }
}

/// Text that comes piece by piece, and can be waited for.
final class ReceivedText: Sendable {
  private struct State {
    var text = ""
    var isEnded = false
    var waiters: [(isMet: @Sendable (String) -> Bool, continuation: CheckedContinuation<String, Never>)] = []

    mutating func takeMet() -> [CheckedContinuation<String, Never>] {
      let text = self.text
      let isEnded = self.isEnded
      let met = self.waiters.filter { isEnded || $0.isMet(text) }.map(\.continuation)
      self.waiters.removeAll { isEnded || $0.isMet(text) }
      return met
    }
  }

  private let state = Mutex(State())

  func append(_ text: String) { self.change { $0.text += text } }
  func end() { self.change { $0.isEnded = true } }

  /// All of it, once the condition holds or nothing more will come.
  func until(_ isMet: @escaping @Sendable (String) -> Bool) async -> String {
    await withCheckedContinuation { continuation in
      let text = self.state.withLock { state -> String? in
        if state.isEnded || isMet(state.text) { return state.text }
        state.waiters.append((isMet, continuation))
        return nil
      }
      if let text { continuation.resume(returning: text) }
    }
  }

  private func change(_ body: (inout State) -> Void) {
    let (met, text) = self.state.withLock { state in
      body(&state)
      return (state.takeMet(), state.text)
    }
    for continuation in met { continuation.resume(returning: text) }
  }
}

/// Reads a channel to its end.
final class TextReader: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let received: ReceivedText

  init(_ received: ReceivedText) { self.received = received }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    self.received.append(String(buffer: self.unwrapInboundIn(data)))
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.received.end()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
