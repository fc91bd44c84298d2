/// The id of a request: a string or a whole number, and 1 is not "1".
package enum RequestID: Hashable, Sendable, CustomStringConvertible {
  case string(String)
  case integer(Int64)

  package init?(_ value: JSONValue?) {
    switch value {
    case .string(let value): self = .string(value)
    case .integer(let value): self = .integer(value)
    default: return nil
    }
  }

  package var json: JSONValue {
    switch self {
    case .string(let value): .string(value)
    case .integer(let value): .integer(value)
    }
  }

  package var description: String {
    switch self {
    case .string(let value): "\"\(value)\""
    case .integer(let value): "\(value)"
    }
  }
}

/// One JSON-RPC 2.0 message from a client.
package enum JSONRPCMessage: Hashable, Sendable {
  case request(id: RequestID, method: String, params: JSONValue?)
  case notification(method: String, params: JSONValue?)
  /// The answer to a request of ours.
  case response(id: RequestID)

  /// Reads a message.
  ///
  /// - Throws: `JSONRPCError` with code `invalidRequest`, or `invalidParams` when params is no object.
  package init(_ value: JSONValue) throws(JSONRPCError) {
    if case .array = value {
      throw JSONRPCError(.invalidRequest, "batches are not part of this protocol revision")
    }
    guard case .object(let members) = value else {
      throw JSONRPCError(.invalidRequest, "a message must be an object")
    }
    guard members["jsonrpc"] == "2.0" else {
      throw JSONRPCError(.invalidRequest, "jsonrpc must be \"2.0\"")
    }
    guard let method = members["method"] else {
      guard let id = RequestID(members["id"]), members["result"] != nil || members["error"] != nil else {
        throw JSONRPCError(.invalidRequest, "neither a method nor a response")
      }
      self = .response(id: id)
      return
    }
    guard case .string(let name) = method else {
      throw JSONRPCError(.invalidRequest, "method must be a string")
    }
    let params = members["params"]
    switch params {
    case nil, .object: break
    default: throw JSONRPCError(.invalidParams, "params must be an object", id: RequestID(members["id"]))
    }
    if let value = members["id"] {
      guard let id = RequestID(value) else {
        throw JSONRPCError(.invalidRequest, "id must be a string or a whole number")
      }
      self = .request(id: id, method: name, params: params)
    } else {
      self = .notification(method: name, params: params)
    }
  }

  package var params: JSONValue? {
    switch self {
    case .request(_, _, let params), .notification(_, let params): params
    case .response: nil
    }
  }

  /// The answer to a request that succeeded.
  package static func result(_ result: JSONValue, id: RequestID) -> JSONValue {
    ["jsonrpc": "2.0", "id": id.json, "result": result]
  }

  /// A notification of ours.
  package static func notification(_ method: String, params: JSONValue) -> JSONValue {
    ["jsonrpc": "2.0", "method": .string(method), "params": params]
  }
}

/// A JSON-RPC error, as it is answered.
package struct JSONRPCError: Error, Hashable, Sendable {
  package struct Code: Hashable, Sendable {
    package let rawValue: Int64

    package static let parseError = Code(rawValue: -32700)
    package static let invalidRequest = Code(rawValue: -32600)
    package static let methodNotFound = Code(rawValue: -32601)
    package static let invalidParams = Code(rawValue: -32602)
    package static let internalError = Code(rawValue: -32603)
    /// A header does not say what the body says.
    package static let headerMismatch = Code(rawValue: -32020)
    /// The revision of the protocol a request names is not spoken here.
    package static let unsupportedVersion = Code(rawValue: -32022)
    /// The server stops and takes no new requests.
    package static let stopping = Code(rawValue: -32000)
    /// The session is unknown, or none was named.
    package static let noSession = Code(rawValue: -32001)
    /// The request was cancelled before it was done.
    package static let cancelled = Code(rawValue: -32800)
  }

  package var code: Code
  package var message: String
  package var id: RequestID?
  package var data: JSONValue?

  package init(_ code: Code, _ message: String, id: RequestID? = nil, data: JSONValue? = nil) {
    self.code = code
    self.message = message
    self.id = id
    self.data = data
  }

  package var json: JSONValue {
    var error: [String: JSONValue] = ["code": .integer(self.code.rawValue), "message": .string(self.message)]
    error["data"] = self.data
    return ["jsonrpc": "2.0", "id": self.id?.json ?? .null, "error": .object(error)]
  }
}
