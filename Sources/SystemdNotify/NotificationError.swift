public import SystemPackage

/// A notification could not be sent, received or understood: what we were
/// doing and what the kernel said.
public struct NotificationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of failure. New codes may be added; always have a default case.
  public struct Code: Hashable, Sendable {
    private enum Value: Hashable, Sendable {
      case invalidAssignment, unsupportedAddress, addressInUse, queueFull, socket, timedOut, environment
    }

    private let value: Value

    /// A name or value cannot be expressed in the protocol (newline, NUL, too long).
    public static let invalidAssignment = Code(value: .invalidAssignment)
    /// The address is neither an absolute path nor an abstract socket, or is too long.
    public static let unsupportedAddress = Code(value: .unsupportedAddress)
    /// Somebody is already receiving on this path or name.
    public static let addressInUse = Code(value: .addressInUse)
    /// The receiver reads too slowly: nothing was sent, trying again later is right.
    public static let queueFull = Code(value: .queueFull)
    /// A socket call failed.
    public static let socket = Code(value: .socket)
    /// The receiver did not get through what was sent before in time.
    public static let timedOut = Code(value: .timedOut)
    /// A variable that systemd sets holds something it never sets.
    public static let environment = Code(value: .environment)
  }

  /// The kind of failure.
  public var code: Code
  /// What we were doing, as words or as the name of the call: "sendmsg /run/systemd/notify".
  public var operation: String
  /// What the kernel or libsystemd said (errno(3)); nil if neither was asked or refused.
  public var underlyingError: Errno?

  /// Creates an error.
  public init(_ code: Code, doing operation: String, underlyingError: Errno? = nil) {
    self.code = code
    self.operation = operation
    self.underlyingError = underlyingError
  }

  /// One line: what we were doing, and the kernel's answer.
  public var description: String {
    guard let error = self.underlyingError else { return self.operation }
    return "\(self.operation): \(error)"
  }
}
