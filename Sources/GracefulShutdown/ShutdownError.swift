/// Something was refused because the server is shutting down.
public struct ShutdownError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of refusal. New codes may be added; always have a default case.
  public struct Code: Hashable, Sendable {
    private enum Value: Hashable, Sendable { case requestRefused, clientRefused, cleanupRefused }
    private let value: Value

    /// A request arrived after the shutdown was initiated.
    public static let requestRefused = Code(value: .requestRefused)
    /// A client was registered after the shutdown was initiated.
    public static let clientRefused = Code(value: .clientRefused)
    /// A cleanup or flush hook was registered after the last of its kind had run.
    public static let cleanupRefused = Code(value: .cleanupRefused)
  }

  /// What was refused.
  public var code: Code
  /// The name of what was refused.
  public var name: String
  /// Why the server is shutting down.
  public var reason: ShutdownReason

  /// Creates an error.
  public init(_ code: Code, name: String, reason: ShutdownReason) {
    self.code = code
    self.name = name
    self.reason = reason
  }

  /// One line for people.
  public var description: String { "\(self.name) refused: the server is shutting down (\(self.reason))" }
}
