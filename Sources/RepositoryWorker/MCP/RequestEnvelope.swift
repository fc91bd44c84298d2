internal import FoundationEssentials
package import NIOHTTP1

/// What a request of a revision without sessions says about itself in `params._meta`, and whether its
/// headers say the same. Decides only.
package struct RequestEnvelope: Hashable, Sendable {
  package static let versionKey = "io.modelcontextprotocol/protocolVersion"
  package static let capabilitiesKey = "io.modelcontextprotocol/clientCapabilities"
  package static let serverKey = "io.modelcontextprotocol/serverInfo"
  package static let subscriptionKey = "io.modelcontextprotocol/subscriptionId"

  package var version: ProtocolVersion

  /// Whether a message is one of a revision without sessions: its body says so, or else its header
  /// names no revision that has some.
  ///
  /// A revision nobody knows counts as one without: it is told which there are in a way that clients
  /// of all of them understand.
  package static func isUsed(by params: JSONValue?, headers: HTTPHeaders) -> Bool {
    if params?["_meta"]?[RequestEnvelope.versionKey] != nil { return true }
    return headers["MCP-Protocol-Version"].contains { name in
      ProtocolVersion(name: name)?.hasSessions != true
    }
  }

  /// Reads and checks it.
  ///
  /// - Throws: `JSONRPCError` with code `invalidParams` when it is incomplete, `headerMismatch` when a
  ///   header contradicts the body, and `unsupportedVersion` when that revision is not spoken here.
  package init(
    method: String, params: JSONValue?, headers: HTTPHeaders
  ) throws(JSONRPCError) {
    guard case .object(let meta)? = params?["_meta"] else {
      throw JSONRPCError(
        .invalidParams, "params._meta must be an object with \"\(RequestEnvelope.versionKey)\"")
    }
    guard let name = meta[RequestEnvelope.versionKey]?.stringValue else {
      throw JSONRPCError(.invalidParams, "params._meta.\"\(RequestEnvelope.versionKey)\" must be a string")
    }
    guard case .object? = meta[RequestEnvelope.capabilitiesKey] else {
      throw JSONRPCError(
        .invalidParams, "params._meta.\"\(RequestEnvelope.capabilitiesKey)\" must be an object")
    }
    try RequestEnvelope.require("MCP-Protocol-Version", is: name, in: headers)
    try RequestEnvelope.require("Mcp-Method", is: method, in: headers)
    if method == "tools/call", let tool = params?["name"]?.stringValue {
      try RequestEnvelope.require("Mcp-Name", is: tool, in: headers, mayBeEncoded: true)
    }
    self.version = try RequestEnvelope.version(named: name)
  }

  /// The revision of that name, if it is one without sessions.
  ///
  /// - Throws: `JSONRPCError` with code `unsupportedVersion`.
  package static func version(named name: String) throws(JSONRPCError) -> ProtocolVersion {
    if let version = ProtocolVersion.perRequest.first(where: { $0.description == name }) { return version }
    throw JSONRPCError(
      .unsupportedVersion, "Unsupported protocol version",
      data: [
        "supported": .array(ProtocolVersion.supported.map { .string($0.description) }),
        "requested": .string(name),
      ])
  }

  private static func require(
    _ header: String, is expected: String, in headers: HTTPHeaders, mayBeEncoded: Bool = false
  ) throws(JSONRPCError) {
    let values = headers[header]
    guard let value = values.first else {
      throw JSONRPCError(.headerMismatch, "the header \(header) is missing")
    }
    // Of two, whoever is between might go by the other.
    guard values.count == 1 else {
      throw JSONRPCError(.headerMismatch, "the header \(header) is there \(values.count) times")
    }
    guard (mayBeEncoded ? RequestEnvelope.decoded(value) : value) == expected else {
      throw JSONRPCError(.headerMismatch, "the header \(header) does not say what the body says")
    }
  }

  /// A header's value in the protocol's form for what is not plain ASCII, `=?base64?…?=`, decoded; any
  /// other as it is. Nil if what is inside is no text.
  private static func decoded(_ value: String) -> String? {
    let (prefix, suffix) = ("=?base64?", "?=")
    guard value.hasPrefix(prefix), value.hasSuffix(suffix), value.utf8.count >= 11 else { return value }
    let text = String(value.dropFirst(prefix.count).dropLast(suffix.count))
    return Data(base64Encoded: text).flatMap { String(validating: $0, as: UTF8.self) }
  }
}
