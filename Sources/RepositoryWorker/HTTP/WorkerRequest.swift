package import NIOHTTP1

/// A whole HTTP request.
package struct WorkerRequest: Sendable {
  package var method: HTTPMethod
  /// Without the query.
  package var path: String
  package var headers: HTTPHeaders
  package var body: [UInt8]
  /// Whether it came to a loopback address.
  package var isLocal: Bool

  package init(
    _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [],
    isLocal: Bool = true
  ) {
    self.isLocal = isLocal
    self.method = method
    self.path = String(target.prefix { $0 != "?" && $0 != "#" })
    self.headers = headers
    self.body = body
  }
}

/// A whole HTTP response.
package struct WorkerResponse: Sendable {
  package var status: HTTPResponseStatus
  package var headers: HTTPHeaders
  package var body: [UInt8]

  package init(_ status: HTTPResponseStatus, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A response with a JSON body.
  package static func json(
    _ status: HTTPResponseStatus, _ value: JSONValue, headers: HTTPHeaders = HTTPHeaders()
  ) -> WorkerResponse {
    var headers = headers
    headers.replaceOrAdd(name: "Content-Type", value: "application/json")
    return WorkerResponse(status, headers: headers, body: value.bytes)
  }

  /// A response that says what is wrong as a JSON-RPC error.
  package static func error(_ status: HTTPResponseStatus, _ error: JSONRPCError) -> WorkerResponse {
    .json(status, error.json)
  }
}

/// What a request is answered with.
package enum WorkerReply: Sendable {
  case response(WorkerResponse)
  /// An event stream, which stays open.
  case eventStream(StreamPurpose)
}
