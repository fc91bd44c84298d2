public import SystemPackage

/// An operation on a process failed: what we were doing, to which process, and
/// what the kernel said.
public struct ProcessError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of failure. New codes may be added; always have a default case.
  public struct Code: Hashable, Sendable {
    private enum Value: Hashable, Sendable {
      case commandNotFound, commandNotExecutable, spawn, signal, wait, inspect, contain, sockets, eventLoop
      case capture, invalidArgument, runtimeDirectory
    }

    private let value: Value

    /// The program does not exist.
    public static let commandNotFound = Code(value: .commandNotFound)
    /// The program exists and cannot be executed.
    public static let commandNotExecutable = Code(value: .commandNotExecutable)
    /// No child could be made, or its set-up failed before the exec.
    public static let spawn = Code(value: .spawn)
    /// A signal could not be sent.
    public static let signal = Code(value: .signal)
    /// A status could not be collected.
    public static let wait = Code(value: .wait)
    /// /proc could not be read.
    public static let inspect = Code(value: .inspect)
    /// A cgroup or other container could not be set up or emptied.
    public static let contain = Code(value: .contain)
    /// The kernel's socket table could not be read.
    public static let sockets = Code(value: .sockets)
    /// epoll, eventfd, timerfd or signalfd failed.
    public static let eventLoop = Code(value: .eventLoop)
    /// A pipe to capture output failed.
    public static let capture = Code(value: .capture)
    /// The caller asked for something that cannot be.
    public static let invalidArgument = Code(value: .invalidArgument)
    /// The directory that holds names and sockets at run time cannot be used.
    public static let runtimeDirectory = Code(value: .runtimeDirectory)
  }

  /// The kind of failure.
  public var code: Code
  /// What we were doing, as words or as the name of the call: "setresuid 33", "write cgroup.procs".
  public var operation: String
  /// What the kernel said (errno(3)); nil if it was not asked or did not refuse.
  public var underlyingError: Errno?
  /// The process it was about; nil if it was about none.
  public var processIdentifier: ProcessIdentifier?

  /// Creates an error.
  public init(
    _ code: Code, doing operation: String, underlyingError: Errno? = nil,
    processIdentifier: ProcessIdentifier? = nil
  ) {
    self.code = code
    self.operation = operation
    self.underlyingError = underlyingError
    self.processIdentifier = processIdentifier
  }

  /// One line: the operation, the process and the kernel's answer, as far as they are known.
  public var description: String {
    var text = self.operation
    if let pid = self.processIdentifier { text += " (pid \(pid))" }
    if let error = self.underlyingError { text += ": \(error)" }
    return text
  }
}
