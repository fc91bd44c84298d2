/// A command the master runs at the end of its shutdown; the last one written runs first.
public struct CleanupCommand: Sendable, Equatable {
  /// What it is called in logs and reports.
  public var name: String
  /// The program and its arguments.
  public var command: [String]
  /// How long it may take before it is ended and counted as failed.
  public var timeout: Duration

  /// Creates a cleanup.
  public init(name: String, command: [String], timeout: Duration = .seconds(10)) {
    self.name = name
    self.command = command
    self.timeout = timeout
  }
}
