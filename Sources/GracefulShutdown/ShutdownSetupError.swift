/// Something about a shutdown could not be set up as asked. The description is one line for people.
public struct ShutdownSetupError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of error. New codes may be added; always have a default case.
  public struct Code: Hashable, Sendable {
    private enum Value: Hashable, Sendable {
      case alreadyBootstrapped, invalidSetting, signalsUnavailable, deadlineTooShort
    }
    private let value: Value

    /// The shared coordinator exists already, by a bootstrap or because it was used.
    public static let alreadyBootstrapped = Code(value: .alreadyBootstrapped)
    /// A setting has no usable value.
    public static let invalidSetting = Code(value: .invalidSetting)
    /// Signals could not be taken over: somebody has them.
    public static let signalsUnavailable = Code(value: .signalsUnavailable)
    /// Somebody else's deadline would end the shutdown before its own does.
    public static let deadlineTooShort = Code(value: .deadlineTooShort)
  }

  /// What kind of error it is.
  public var code: Code
  /// One line that says what is wrong.
  public var description: String

  /// Creates an error with a line for people.
  public init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
