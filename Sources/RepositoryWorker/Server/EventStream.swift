internal import GracefulShutdown
internal import NIOCore
internal import NIOHTTP1

/// An open `text/event-stream` response: messages go out as events until it is ended.
final class EventStream: EventSink, ShutdownClient {
  /// Between comments that keep whoever is in between from taking the stream for dead.
  private static let keepAliveInterval = TimeAmount.seconds(15)

  let purpose: StreamPurpose
  private let channel: any Channel
  private let isOpen: NIOLoopBoundBox<Bool>
  private let ended: EventLoopPromise<Void>

  /// Must be called on the channel's event loop, and `begin()` before anything is sent.
  init(_ purpose: StreamPurpose, channel: any Channel) {
    self.purpose = purpose
    self.channel = channel
    self.isOpen = NIOLoopBoundBox(true, eventLoop: channel.eventLoop)
    self.ended = channel.eventLoop.makePromise()
    channel.closeFuture.cascade(to: self.ended)
  }

  /// Completed when the last chunk was written, or the connection is gone.
  var whenEnded: EventLoopFuture<Void> { self.ended.futureResult }

  /// Writes the head, so that the client sees at once that the stream is there.
  func begin() {
    let headers: HTTPHeaders = [
      "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
    ]
    self.channel.write(
      HTTPServerResponsePart.head(.init(version: .http1_1, status: .ok, headers: headers)), promise: nil)
    self.channel.writeAndFlush(self.part(": open\n\n"), promise: nil)
    if let message = self.purpose.opening { self.write(message, promise: nil) }
    let keepAlive = self.channel.eventLoop.scheduleRepeatedTask(
      initialDelay: EventStream.keepAliveInterval, delay: EventStream.keepAliveInterval
    ) { _ in
      if self.isOpen.value { self.channel.writeAndFlush(self.part(": \n\n"), promise: nil) }
    }
    self.whenEnded.whenComplete { _ in keepAlive.cancel() }
  }

  func send(_ message: JSONValue) {
    self.channel.eventLoop.execute { self.write(message, promise: nil) }
  }

  func end() {
    self.channel.eventLoop.execute { self.writeEnd(promise: nil) }
  }

  private func write(_ message: JSONValue, promise: EventLoopPromise<Void>?) {
    guard self.isOpen.value else {
      promise?.succeed()
      return
    }
    let text = "event: message\ndata: \(String(decoding: message.bytes, as: UTF8.self))\n\n"
    self.channel.writeAndFlush(self.part(text), promise: promise)
  }

  private func writeEnd(promise: EventLoopPromise<Void>?) {
    promise.map { self.ended.futureResult.cascade(to: $0) }
    guard self.isOpen.value else { return }
    self.isOpen.value = false
    let written = self.channel.eventLoop.makePromise(of: Void.self)
    written.futureResult.cascade(to: self.ended)
    self.channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: written)
  }

  private func part(_ text: String) -> HTTPServerResponsePart {
    .body(.byteBuffer(self.channel.allocator.buffer(string: text)))
  }

  // MARK: ShutdownClient

  var shutdownName: String { self.purpose.description }

  func notify(_ reason: ShutdownReason) async throws {
    guard let message = self.purpose.notice(reason.description) else { return }
    let written = self.channel.eventLoop.makePromise(of: Void.self)
    self.channel.eventLoop.execute { self.write(message, promise: written) }
    try await self.unlessGone(written)
  }

  func close() async throws {
    let written = self.channel.eventLoop.makePromise(of: Void.self)
    self.channel.eventLoop.execute {
      if let message = self.purpose.farewell { self.write(message, promise: nil) }
      self.writeEnd(promise: written)
    }
    try await self.unlessGone(written)
  }

  /// A client that has left meanwhile need not be told any more, and is ended.
  private func unlessGone(_ written: EventLoopPromise<Void>) async throws {
    do {
      try await written.futureResult.get()
    } catch {
      if self.channel.isActive { throw error }
    }
  }

  func abort() {
    self.channel.close(promise: nil)
  }
}
