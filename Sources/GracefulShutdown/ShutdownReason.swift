/// Why a server shuts down, in words for logs, clients and the report.
public struct ShutdownReason: Hashable, Sendable, Codable, CustomStringConvertible, ExpressibleByStringLiteral
{
  /// The words.
  public var description: String

  /// Creates a reason in words of one's own.
  public init(_ description: String) {
    self.description = description
  }

  /// Creates a reason in words of one's own.
  public init(stringLiteral value: String) {
    self.init(value)
  }

  /// Somebody asked for it, named by where the request came from: `.requested(by: "POST /shutdown")`.
  public static func requested(by source: String) -> ShutdownReason {
    ShutdownReason("requested by \(source)")
  }

  /// A signal asked for it: `.signal("SIGTERM")`.
  public static func signal(_ name: String) -> ShutdownReason {
    ShutdownReason("received \(name)")
  }

  /// Decodes the words.
  public init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode(String.self))
  }

  /// Encodes the words.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(self.description)
  }
}
