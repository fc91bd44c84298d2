internal import GracefulShutdown
internal import NIOCore
internal import NIOHTTP1

/// One connection: collects requests, has them answered, writes the responses.
///
/// Requests of a connection come one at a time; the pipeline before it holds back the others.
final class HTTPConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// Bytes of a request's body.
  static let bodyLimit = 1 << 20
  /// Bytes of a body over the limit that are read and dropped, so that the client gets to read why.
  static let discardLimit = 8 << 20

  private enum State {
    case idle
    case collecting(HTTPRequestHead, [UInt8])
    /// Answered already; what still comes of the body is dropped.
    case discarding(bytes: Int)
    case answering
    case streaming
  }

  private let service: WorkerService
  private let requestTimeout: TimeAmount
  private var state = State.idle
  private var deadline: Scheduled<Void>?
  /// Whoever works on the answer to the request.
  private var work: Task<Void, Never>?

  /// - Parameter requestTimeout: For a request to arrive once it has begun.
  init(service: WorkerService, requestTimeout: TimeAmount) {
    self.service = service
    self.requestTimeout = requestTimeout
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch (self.unwrapInboundIn(data), self.state) {
    case (.head(let head), _):
      self.startDeadline(context)
      let length = head.headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
      if length > HTTPConnectionHandler.bodyLimit {
        self.refuseBody(context, head)
      } else {
        self.state = .collecting(head, [])
        if head.headers.first(name: "Expect")?.lowercased() == "100-continue" {
          context.writeAndFlush(
            self.wrapOutboundOut(.head(.init(version: head.version, status: .continue))), promise: nil)
        }
      }
    case (.body(let buffer), .collecting(let head, var body)):
      // Not copied with every part: the state lets go of it first.
      self.state = .answering
      body.append(contentsOf: buffer.readableBytesView)
      if body.count > HTTPConnectionHandler.bodyLimit {
        self.refuseBody(context, head)
      } else {
        self.state = .collecting(head, body)
      }
    case (.body(let buffer), .discarding(let bytes)):
      let bytes = bytes + buffer.readableBytes
      self.state = .discarding(bytes: bytes)
      if bytes > HTTPConnectionHandler.discardLimit { context.close(promise: nil) }
    case (.end, .collecting(let head, let body)):
      self.endDeadline()
      self.state = .answering
      self.answer(context, head, body)
    case (.end, .discarding):
      self.endDeadline()
      context.close(promise: nil)
    default:
      break
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    // A request whose head never comes to its end is not one that is awaited for ever.
    if event is RequestBytesArrived, case .idle = self.state, self.deadline == nil {
      self.startDeadline(context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelActive(context: ChannelHandlerContext) {
    // Who connects and says nothing is not kept; who has said something may come back to it later.
    self.startDeadline(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.endDeadline()
    // Nobody waits for the answer any more. Whether that ends the work is for the protocol to say.
    self.work?.cancel()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // What is not HTTP has been answered by the handler before this one; a broken connection is over.
    context.close(promise: nil)
  }

  // MARK: Reading

  private func startDeadline(_ context: ChannelHandlerContext) {
    self.endDeadline()
    let channel = context.channel
    self.deadline = context.eventLoop.scheduleTask(in: self.requestTimeout) {
      channel.close(promise: nil)
    }
  }

  private func endDeadline() {
    self.deadline?.cancel()
    self.deadline = nil
  }

  private func refuseBody(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
    self.state = .discarding(bytes: 0)
    let limit = HTTPConnectionHandler.bodyLimit
    let error = JSONRPCError(.invalidRequest, "the body has more than \(limit) bytes")
    self.write(context, .error(.payloadTooLarge, error), to: head, closing: true, promise: nil)
  }

  // MARK: Answering

  private func answer(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ body: [UInt8]) {
    let request = WorkerRequest(
      head.method, head.uri, headers: head.headers, body: body,
      isLocal: context.channel.localAddress?.isLoopback ?? true)
    let service = self.service
    let promise = context.eventLoop.makePromise(of: WorkerReply.self)
    let reply = promise.futureResult
    self.work = Task { promise.succeed(await service.respond(to: request)) }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    reply.whenSuccess { reply in
      let (handler, context) = bound.value
      handler.work = nil
      guard context.channel.isActive else { return }
      switch reply {
      case .response(let response): handler.finish(context, response, to: head)
      case .eventStream(let purpose): handler.stream(context, purpose, to: head)
      }
    }
  }

  private func finish(_ context: ChannelHandlerContext, _ response: WorkerResponse, to head: HTTPRequestHead)
  {
    let isClosing = !head.isKeepAlive || self.service.shutdown.isShuttingDown
    self.state = .idle
    var written: EventLoopPromise<Void>?
    if isClosing {
      let channel = context.channel
      let promise = context.eventLoop.makePromise(of: Void.self)
      promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
      written = promise
    }
    self.write(context, response, to: head, closing: isClosing, promise: written)
  }

  private func write(
    _ context: ChannelHandlerContext, _ response: WorkerResponse, to head: HTTPRequestHead,
    closing isClosing: Bool, promise: EventLoopPromise<Void>?
  ) {
    var headers = response.headers
    if response.status != .noContent {
      headers.replaceOrAdd(name: "Content-Length", value: "\(response.body.count)")
    }
    if isClosing {
      headers.replaceOrAdd(name: "Connection", value: "close")
    } else if head.version != .http1_1 {
      headers.replaceOrAdd(name: "Connection", value: "keep-alive")
    }
    context.write(
      self.wrapOutboundOut(.head(.init(version: head.version, status: response.status, headers: headers))),
      promise: nil)
    if head.method != .HEAD, !response.body.isEmpty {
      context.write(
        self.wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: response.body)))),
        promise: nil)
    }
    context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: promise)
  }

  private func stream(_ context: ChannelHandlerContext, _ purpose: StreamPurpose, to head: HTTPRequestHead) {
    let stream = EventStream(purpose, channel: context.channel)
    let registration: ShutdownRegistration
    do {
      registration = try self.service.shutdown.register(stream)
    } catch {
      let error = JSONRPCError(.stopping, "the server is stopping: \(error.reason)")
      self.finish(context, .error(.serviceUnavailable, error), to: head)
      return
    }
    let mcp = self.service.mcp
    self.state = .streaming
    stream.whenEnded.whenComplete { _ in
      registration.remove()
      if case .session(let session) = purpose { mcp.detach(stream, from: session) }
    }
    // The head goes first: as soon as it is attached, others may write to it.
    stream.begin()
    // If the session has ended in between, so does its stream.
    if case .session(let session) = purpose, mcp.attach(stream, to: session) != nil { stream.end() }
  }
}
