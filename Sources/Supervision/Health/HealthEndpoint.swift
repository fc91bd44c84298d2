package import ProcCtl
internal import SystemPackage

/// Answers health checks over HTTP on the event loop. What it says comes from its owner; what it sees to is
/// that no client costs more than its share: of connections, memory, time, and turns of the loop.
///
/// Confined to the loop's thread.
package final class HealthEndpoint {
  package struct Limits: Sendable {
    package var connections = 64
    /// From a request's first byte, or from the connection on, to its last.
    package var request = Duration.seconds(5)
    package var idle = Duration.seconds(30)
    /// For the client to take a response.
    package var response = Duration.seconds(10)

    package init() {}
  }

  private let loop: EventLoop
  private let limits: Limits
  private let answer: (HealthPage) -> HTTPResponse
  private var listener: StreamListener?

  /// - Parameter answer: The page as it is now.
  package init(
    _ socket: ListeningSocket, on loop: EventLoop, limits: Limits = Limits(),
    answer: @escaping (HealthPage) -> HTTPResponse
  ) {
    self.loop = loop
    self.limits = limits
    self.answer = answer
    self.listener = StreamListener(socket, on: loop, limit: limits.connections) { [unowned self] in
      self.serve($0)
    }
  }

  /// - Throws: `ProcessError` with code `.eventLoop`.
  package func start() throws(ProcessError) { try self.listener?.start() }

  package func close() { self.listener?.close() }

  private func serve(_ descriptor: FileDescriptor) -> StreamConnection? {
    guard let connection = try? StreamConnection(descriptor, on: self.loop) else { return nil }
    // The connection's handlers keep it, until it is closed.
    let client = HealthClient(connection, loop: self.loop, limits: self.limits, answer: self.answer)
    connection.whenReceived = { client.received($0) }
    connection.whenEnded = { client.ended() }
    connection.whenSent = { client.goOn() }
    connection.whenClosed = { [weak self, unowned connection] in
      client.closed()
      self?.listener?.forget(connection)
    }
    client.whenUsed = { [weak self, unowned connection] in self?.listener?.used(connection) }
    return connection
  }
}

/// One client of the health endpoint.
private final class HealthClient {
  /// Closed it forgets its handlers and so us. Until then each keeps the other: in the middle of an answer it
  /// may be closed, and everybody else lets go of it.
  private let connection: StreamConnection
  private let loop: EventLoop
  private let limits: HealthEndpoint.Limits
  private let answer: (HealthPage) -> HTTPResponse
  private let codec = HTTPServerCodec()
  private var requests: [HTTPServerRequest] = []
  private var failure: HTTPServerFailure?
  private var hasEnded = false
  private var isScheduled = false
  private var isClosed = false
  var whenUsed: (() -> Void)?

  init(
    _ connection: StreamConnection, loop: EventLoop, limits: HealthEndpoint.Limits,
    answer: @escaping (HealthPage) -> HTTPResponse
  ) {
    self.connection = connection
    self.loop = loop
    self.limits = limits
    self.answer = answer
    connection.limit(to: loop.now.advanced(by: limits.request))
  }

  func received(_ bytes: [UInt8]) {
    let wasInRequest = self.codec.isInRequest
    do throws(HTTPServerFailure) {
      try self.codec.receive(bytes, into: &self.requests)
    } catch {
      self.failure = error
    }
    if !wasInRequest { self.connection.limit(to: self.loop.now.advanced(by: self.limits.request)) }
    self.goOn()
  }

  /// It says nothing more, but may still want to hear.
  func ended() {
    self.hasEnded = true
    self.connection.isReading = false
    self.goOn()
  }

  func closed() {
    self.isClosed = true
    self.codec.close()
  }

  /// One request at a time, when the response before it is taken, and one per turn of the loop: whoever sends
  /// a thousand at once waits, and nobody else does.
  func goOn() {
    guard !self.isClosed, self.connection.isOpen, self.connection.backlog == 0, !self.isScheduled else {
      return
    }
    guard !self.requests.isEmpty else { return self.rest() }
    self.connection.isReading = false
    self.isScheduled = true
    self.loop.schedule(at: self.loop.now) { self.answerNext() }
  }

  private func rest() {
    if let failure = self.failure {
      self.failure = nil
      let text = Array("\(failure)\n".utf8)
      self.connection.send(
        self.codec.response(
          HTTPResponse(status: failure.status, headers: [.plainText], body: text), to: "GET",
          keepingAlive: false))
      return self.connection.finish()
    }
    if self.hasEnded { return self.connection.finish() }
    self.connection.isReading = true
  }

  private func answerNext() {
    self.isScheduled = false
    guard !self.isClosed, self.connection.isOpen, !self.requests.isEmpty else { return }
    let request = self.requests.removeFirst()
    self.whenUsed?()
    let bytes = self.codec.response(
      self.response(to: request), to: request.method, keepingAlive: request.keepsAlive)
    self.connection.limit(to: self.loop.now.advanced(by: self.limits.response))
    if !request.keepsAlive {
      self.requests = []
      self.connection.send(bytes)
      return self.connection.finish()
    }
    let next = self.codec.isInRequest || !self.requests.isEmpty ? self.limits.request : self.limits.idle
    self.connection.send(bytes)
    if self.connection.isOpen, self.connection.backlog == 0 {
      self.connection.limit(to: self.loop.now.advanced(by: next))
    }
  }

  private func response(to request: HTTPServerRequest) -> HTTPResponse {
    switch HealthPage.request(method: request.method, target: request.target) {
    case .page(let page): return self.answer(page)
    case .notFound:
      let pages = HealthPage.allCases.map(\.rawValue).joined(separator: ", ")
      return HTTPResponse(
        status: 404, headers: [.plainText], body: Array("there is \(pages)\n".utf8))
    case .methodNotAllowed:
      return HTTPResponse(status: 405, headers: [HTTPField("Allow", "GET, HEAD"), .plainText])
    }
  }
}

extension HTTPField {
  package static let plainText = HTTPField("Content-Type", "text/plain; charset=utf-8")
  package static let json = HTTPField("Content-Type", "application/json")
}
