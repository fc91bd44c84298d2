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
    connection.whenClosed = { [weak self, unowned connection] in
      client.closed()
      self?.listener?.forget(connection)
    }
    client.turns.whenUsed = { [weak self, unowned connection] in self?.listener?.used(connection) }
    return connection
  }
}

/// One client of the health endpoint.
private final class HealthClient {
  /// Kept until it is closed, as by ``RequestTurns``.
  private let connection: StreamConnection
  private let loop: EventLoop
  private let limits: HealthEndpoint.Limits
  private let answer: (HealthPage) -> HTTPResponse
  private let codec = HTTPServerCodec()
  /// What it asks, and in the end perhaps what it has said wrong.
  let turns: RequestTurns<Result<HTTPServerRequest, HTTPServerFailure>>

  init(
    _ connection: StreamConnection, loop: EventLoop, limits: HealthEndpoint.Limits,
    answer: @escaping (HealthPage) -> HTTPResponse
  ) {
    self.connection = connection
    self.loop = loop
    self.limits = limits
    self.answer = answer
    self.turns = RequestTurns(connection, on: loop)
    self.limit(to: limits.request)
    self.turns.answer = { [unowned self] asked in
      switch asked {
      case .success(let request): self.respond(to: request)
      case .failure(let failure): self.refuse(failure)
      }
    }
  }

  private func limit(to time: Duration) { self.connection.limit(to: self.loop.now.advanced(by: time)) }

  func received(_ bytes: [UInt8]) {
    let wasInRequest = self.codec.isInRequest
    var requests: [HTTPServerRequest] = []
    var failures: [HTTPServerFailure] = []
    do throws(HTTPServerFailure) {
      try self.codec.receive(bytes, into: &requests)
    } catch {
      failures = [error]
    }
    if !wasInRequest { self.limit(to: self.limits.request) }
    self.turns.received(requests.map { .success($0) } + failures.map { .failure($0) })
  }

  func closed() {
    self.turns.closed()
    self.codec.close()
  }

  private func refuse(_ failure: HTTPServerFailure) {
    let response = HTTPResponse(
      status: failure.status, headers: [.plainText], body: Array("\(failure)\n".utf8))
    self.connection.send(self.codec.response(response, to: "GET", keepingAlive: false))
    self.connection.finish()
  }

  private func respond(to request: HTTPServerRequest) {
    let bytes = self.codec.response(
      self.response(to: request), to: request.method, keepingAlive: request.keepsAlive)
    self.limit(to: self.limits.response)
    if !request.keepsAlive {
      self.connection.send(bytes)
      return self.connection.finish()
    }
    let next = self.codec.isInRequest || !self.turns.isEmpty ? self.limits.request : self.limits.idle
    self.connection.send(bytes)
    if self.connection.isOpen, self.connection.backlog == 0 { self.limit(to: next) }
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
