internal import NIOCore
internal import NIOEmbedded
internal import NIOHTTP1

/// A request as the health endpoint sees it: its body, if any, has been read and thrown away.
package struct HTTPServerRequest: Sendable, Equatable {
  package var method: String
  package var target: String
  package var keepsAlive: Bool

  package init(method: String, target: String, keepsAlive: Bool) {
    self.method = method
    self.target = target
    self.keepsAlive = keepsAlive
  }
}

/// Why a client is answered with an error and not listened to any more.
package enum HTTPServerFailure: Error, Sendable, Equatable {
  case garbage
  case headTooLarge
  case bodyTooLarge

  package var status: Int {
    switch self {
    case .garbage: 400
    case .headTooLarge: 431
    case .bodyTooLarge: 413
    }
  }
}

/// The server's side of one connection as bytes: SwiftNIO's decoder and encoder in a channel that is
/// nothing but memory. No I/O, no thread.
///
/// Confined to one thread, and to be closed with ``close()``.
package final class HTTPServerCodec {
  package static let longestHead = 8 * 1024
  package static let longestBody = 64 * 1024

  private let channel = EmbeddedChannel(handlers: [
    HTTPResponseEncoder(),
    ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
    NIOHTTPResponseHeadersValidator(),
  ])
  private var isOpen = true
  private var head: HTTPRequestHead?
  private var headBytes = 0
  private var bodyBytes = 0

  package init() {}

  deinit { self.close() }

  /// Ends the use of the codec; the second call does nothing.
  package func close() {
    guard self.isOpen else { return }
    self.isOpen = false
    // Complains about a request cut short, which is the client's affair.
    _ = try? self.channel.finish(acceptAlreadyClosed: true)
  }

  /// Whether a request has begun and is not complete.
  package var isInRequest: Bool { self.headBytes > 0 || self.head != nil }

  /// Takes bytes of requests, and adds those that are complete now.
  ///
  /// - Throws: `HTTPServerFailure`; nothing can be received after it. What was complete before it counts.
  package func receive(
    _ bytes: some Collection<UInt8>, into requests: inout [HTTPServerRequest]
  ) throws(HTTPServerFailure) {
    guard self.isOpen, !bytes.isEmpty else { return }
    self.headBytes += bytes.count
    var failure: HTTPServerFailure?
    do {
      try self.channel.writeInbound(ByteBuffer(bytes: bytes))
    } catch HTTPParserError.headerOverflow {
      failure = .headTooLarge
    } catch {
      failure = .garbage
    }
    try self.takeParts(into: &requests)
    if let failure { throw failure }
    if self.head == nil, self.headBytes > Self.longestHead { throw .headTooLarge }
  }

  private func takeParts(into requests: inout [HTTPServerRequest]) throws(HTTPServerFailure) {
    while let part = try? self.channel.readInbound(as: HTTPServerRequestPart.self) {
      switch part {
      case .head(let head):
        self.head = head
        self.bodyBytes = 0
      case .body(let body):
        self.bodyBytes += body.readableBytes
        if self.bodyBytes > Self.longestBody { throw .bodyTooLarge }
      case .end:
        guard let head = self.head else { continue }
        // The decoder reads nothing after a request to go on in another protocol.
        let isLast = head.method == .CONNECT || head.headers.contains(name: "Upgrade")
        requests.append(
          HTTPServerRequest(
            method: head.method.rawValue, target: head.uri, keepsAlive: head.isKeepAlive && !isLast))
        self.head = nil
        self.headBytes = 0
      }
    }
  }

  /// The bytes of a response.
  ///
  /// - Parameter method: Of the request: to HEAD, the body is left out and its length told.
  package func response(
    _ response: HTTPResponse, to method: String, keepingAlive: Bool
  ) -> [UInt8] {
    var headers = HTTPHeaders(response.headers.map { ($0.name, $0.value) })
    headers.replaceOrAdd(name: "Content-Length", value: "\(response.body.count)")
    headers.replaceOrAdd(name: "Connection", value: keepingAlive ? "keep-alive" : "close")
    headers.replaceOrAdd(name: "Cache-Control", value: "no-store")
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
    var bytes: [UInt8] = []
    do {
      try self.channel.writeOutbound(HTTPServerResponsePart.head(head))
      if method != "HEAD", !response.body.isEmpty {
        try self.channel.writeOutbound(
          HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: response.body))))
      }
      try self.channel.writeOutbound(HTTPServerResponsePart.end(nil))
      while let part = try self.channel.readOutbound(as: ByteBuffer.self) { bytes += part.readableBytesView }
    } catch {
      // Only a closed channel refuses; then nobody is there to read it.
      return []
    }
    return bytes
  }
}
