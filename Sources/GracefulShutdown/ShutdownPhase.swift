/// A step of a server's life between serving and gone.
///
/// Phases come in the order they are listed here, each at most once. More may
/// be added: always have a default case.
public struct ShutdownPhase: Hashable, Sendable, Codable, CustomStringConvertible {
  /// One word for logs and reports.
  public let name: String

  private init(_ name: String) {
    self.name = name
  }

  /// Serving; no shutdown was initiated.
  public static let running = ShutdownPhase("running")
  /// New requests are refused, those in flight are waited for, and clients are being told.
  public static let drainingRequests = ShutdownPhase("requests")
  /// Clients are closed; those that take too long are dropped by force.
  public static let disconnectingClients = ShutdownPhase("clients")
  /// Cleanups run, last registered first.
  public static let cleaningUp = ShutdownPhase("cleanups")
  /// Logs, metrics and the like are flushed; left out when there is nothing to flush.
  public static let flushing = ShutdownPhase("flushes")
  /// Everything is done and the report is available.
  public static let finished = ShutdownPhase("finished")

  /// The name.
  public var description: String { self.name }

  /// Decodes the name.
  public init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode(String.self))
  }

  /// Encodes the name.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(self.name)
  }
}
