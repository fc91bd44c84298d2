/// What a client is told, as bytes for its connection.
///
/// Made for the adapters of this library; a ``ShutdownClient`` of one's own says it as it likes.
public struct ShutdownMessage: Sendable {
  private let encoding: @Sendable (ShutdownReason) -> [UInt8]

  /// Creates a message of any form. Empty means nothing is sent.
  public init(_ encoding: @escaping @Sendable (ShutdownReason) -> [UInt8]) {
    self.encoding = encoding
  }

  /// A JSON-RPC notification on a line of its own, as stream transports of MCP have them:
  /// `{"jsonrpc":"2.0","method":"notifications/shutdown","params":{"reason":"received SIGTERM"}}`.
  public static let jsonRPCLine = ShutdownMessage { reason in
    ShutdownMessage.jsonRPC.bytes(for: reason) + [0x0A]
  }

  /// The same notification without a line feed, for transports with a framing of their own.
  public static let jsonRPC = ShutdownMessage { reason in
    Array(
      """
      {"jsonrpc":"2.0","method":"notifications/shutdown","params":{"reason":\(quoted(reason.description))}}
      """.utf8)
  }

  /// Nothing: the connection is ended without a word.
  public static let none = ShutdownMessage { _ in [] }

  /// The bytes to send.
  public func bytes(for reason: ShutdownReason) -> [UInt8] {
    self.encoding(reason)
  }

  /// As a JSON string (RFC 8259, section 7).
  private static func quoted(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": json += "\\\""
      case "\\": json += "\\\\"
      case "\n": json += "\\n"
      case "\r": json += "\\r"
      case "\t": json += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: json.unicodeScalars.append(scalar)
      }
    }
    return json + "\""
  }
}
