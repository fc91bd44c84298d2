package import SystemPackage

/// A request as a probe or a stop step makes it: small, and known as a whole.
package struct HTTPRequest: Hashable, Sendable {
  package var method: String
  /// The target, beginning with a slash, as it goes over the wire: already percent-encoded.
  package var path: String
  /// What the Host field says, with the port if it is not 80.
  package var host: String
  /// Further fields. Host, Connection and Content-Length are set for you.
  package var headers: [HTTPField]
  package var body: [UInt8]

  package init(
    method: String = "GET", path: String, host: String, headers: [HTTPField] = [], body: [UInt8] = []
  ) {
    self.method = method
    self.path = path
    self.host = host
    self.headers = headers
    self.body = body
  }
}

/// A header field.
package struct HTTPField: Hashable, Sendable {
  package var name: String
  package var value: String

  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// A final response (never 1xx).
package struct HTTPResponse: Hashable, Sendable {
  package var status: Int
  package var headers: [HTTPField]
  package var body: [UInt8]
  /// The body was longer than the limit; what stands here is its beginning.
  package var isBodyTruncated: Bool

  package init(status: Int, headers: [HTTPField] = [], body: [UInt8] = [], isBodyTruncated: Bool = false) {
    self.status = status
    self.headers = headers
    self.body = body
    self.isBodyTruncated = isBodyTruncated
  }

  /// The first field of that name, whatever its case; names are ASCII.
  package func header(_ name: String) -> String? {
    self.headers.first { $0.name.lowercased() == name.lowercased() }?.value
  }
}

/// How much of a response to take.
package struct HTTPLimits: Hashable, Sendable {
  /// Bytes up to the end of the header fields; more is a failure.
  package var head: Int
  /// Bytes of the body to keep; more is left out, and the exchange ends there.
  package var body: Int

  package init(head: Int = 32 * 1024, body: Int = 64 * 1024) {
    self.head = head
    self.body = body
  }
}

/// Why there was no response.
package enum HTTPFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// Nobody listens.
  case refused
  /// The deadline passed; where it stood then.
  case timedOut(HTTPStage)
  /// The server closed the connection before its response was complete.
  case closedEarly
  /// What came is no HTTP response; what the parser found wrong.
  case garbage(String)
  /// The head of the response was longer than the limit, in bytes.
  case tooLarge(limit: Int)
  /// The request cannot be sent as it is: a path, method or field with characters that have no place there.
  case invalidRequest(String)
  /// Connected to somebody who is not to be asked; why.
  case wrongPeer(String)
  case cancelled
  case failed(Errno)

  package var description: String {
    switch self {
    case .wrongPeer(let why): return why
    case .refused: return "connection refused"
    case .timedOut(.connecting): return "timed out while connecting"
    case .timedOut(.waiting): return "timed out waiting for a response"
    case .timedOut(.receiving): return "timed out in the middle of a response"
    case .closedEarly: return "the connection was closed before the response was complete"
    case .garbage(let what): return "the response is not HTTP (\(what))"
    case .tooLarge(let limit): return "the response's head is longer than \(limit) bytes"
    case .invalidRequest(let what): return "the request cannot be sent (\(what))"
    case .cancelled: return "cancelled"
    case .failed(let error): return "\(error)"
    }
  }
}

/// How far an exchange has come.
package enum HTTPStage: Hashable, Sendable {
  case connecting
  /// Connected, and no byte of a response yet.
  case waiting
  case receiving
}
