internal import NIOCore
internal import NIOEmbedded
internal import NIOHTTP1

/// One request and its response as bytes: SwiftNIO's encoder and decoder in a
/// channel that is nothing but memory. No I/O, no thread.
///
/// Confined to one thread, and to be closed with ``close()``, as the channel wants.
package final class HTTPClientCodec {
  /// The request's bytes, ready to send.
  package private(set) var request: [UInt8] = []
  /// Whether anything has been received.
  package private(set) var hasReceived = false

  private let limits: HTTPLimits
  private let channel: EmbeddedChannel
  private var isOpen = true
  private var headBytes = 0
  /// The response as far as it has come, from the end of its head on.
  package private(set) var response: HTTPResponse?

  /// - Throws: `HTTPFailure.invalidRequest`.
  package init(_ request: HTTPRequest, limits: HTTPLimits) throws(HTTPFailure) {
    self.limits = limits
    // The decoder stands where it sees the request pass, to know a HEAD.
    self.channel = EmbeddedChannel(handlers: [
      HTTPRequestEncoder(),
      ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes)),
      NIOHTTPRequestHeadersValidator(),
    ])
    do {
      self.request = try self.encode(request)
    } catch {
      self.close()
      throw .invalidRequest("\(request.method) \(request.path)")
    }
  }

  deinit {
    self.close()
  }

  /// Ends the use of the codec; the second call does nothing.
  package func close() {
    guard self.isOpen else { return }
    self.isOpen = false
    // Complains about a response cut short, which its caller knows.
    _ = try? self.channel.finish(acceptAlreadyClosed: true)
  }

  private func encode(_ request: HTTPRequest) throws -> [UInt8] {
    // The rest is checked by the validator in the channel.
    guard request.path.hasPrefix("/") else { throw HTTPParserError.invalidURL }
    guard !request.method.isEmpty else { throw HTTPParserError.invalidMethod }
    var headers = HTTPHeaders()
    headers.add(name: "Host", value: request.host)
    // Who closes first keeps the TIME_WAIT on its own port. Without this an
    // HTTP/1.0-minded server closes first, and the worker's port is then
    // occupied for 60 s for a successor that does not set SO_REUSEADDR.
    headers.add(name: "Connection", value: "keep-alive")
    for field in request.headers { headers.add(name: field.name, value: field.value) }
    let method = HTTPMethod(rawValue: request.method)
    // A length, always, where a body may be expected: never chunks.
    if !request.body.isEmpty || (method != .GET && method != .HEAD) {
      headers.replaceOrAdd(name: "Content-Length", value: "\(request.body.count)")
    }
    let head = HTTPRequestHead(version: .http1_1, method: method, uri: request.path, headers: headers)
    try self.channel.writeOutbound(HTTPClientRequestPart.head(head))
    if !request.body.isEmpty {
      try self.channel.writeOutbound(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: request.body))))
    }
    try self.channel.writeOutbound(HTTPClientRequestPart.end(nil))
    var bytes: [UInt8] = []
    while let part = try self.channel.readOutbound(as: ByteBuffer.self) { bytes += part.readableBytesView }
    return bytes
  }

  /// Takes bytes of the response.
  ///
  /// - Returns: The response once it is complete, or its body has reached the limit.
  /// - Throws: `HTTPFailure.garbage` or `.tooLarge`; nothing can be received after it.
  package func receive(_ bytes: some Collection<UInt8>) throws(HTTPFailure) -> HTTPResponse? {
    guard self.isOpen, !bytes.isEmpty else { return nil }
    self.hasReceived = true
    do {
      try self.channel.writeInbound(ByteBuffer(bytes: bytes))
    } catch HTTPParserError.headerOverflow {
      throw .tooLarge(limit: self.limits.head)
    } catch {
      // A complete response in front of the garbage is a response.
      if let response = self.takeParts() { return response }
      throw .garbage("\(error)")
    }
    let hadHead = self.response != nil
    let response = self.takeParts()
    if !hadHead { self.headBytes += bytes.count }
    if self.response == nil, self.headBytes > self.limits.head { throw .tooLarge(limit: self.limits.head) }
    return response
  }

  /// Takes the end of the stream: complete only for a response that says
  /// nothing about its length.
  ///
  /// - Throws: `HTTPFailure.closedEarly`.
  package func receiveEnd() throws(HTTPFailure) -> HTTPResponse {
    guard self.isOpen else { throw .closedEarly }
    self.isOpen = false
    _ = try? self.channel.finish(acceptAlreadyClosed: true)
    guard let response = self.takeParts() else { throw .closedEarly }
    return response
  }

  /// Collects what the decoder has made; the response if it is complete or full.
  private func takeParts() -> HTTPResponse? {
    while let part = try? self.channel.readInbound(as: HTTPClientResponsePart.self) {
      switch part {
      case .head(let head):
        self.response = HTTPResponse(
          status: Int(head.status.code), headers: head.headers.map { HTTPField($0.name, $0.value) })
      case .body(let buffer):
        guard var response = self.response else { continue }
        let room = max(0, self.limits.body - response.body.count)
        response.body += buffer.readableBytesView.prefix(room)
        response.isBodyTruncated = buffer.readableBytes > room
        self.response = response
        if response.isBodyTruncated { return response }
      case .end: return self.response
      }
    }
    return nil
  }
}
