/// What a command run to its end has said and how it ended.
public struct CapturedRun: Sendable {
  public var status: TerminationStatus
  public var standardOutput: [UInt8]
  public var standardError: [UInt8]
  /// The command wrote more than the limit; it was ended and the rest dropped.
  public var outputLimitReached: Bool
  /// The time limit passed; the command and all it started were ended.
  public var timeLimitReached: Bool
}

/// Runs a command to its end and returns what it wrote.
///
/// The command runs in a session of its own. When it ends, when a limit is
/// reached, or when the task is cancelled, everything left in its session is
/// killed before this returns. May be called from any thread or actor.
///
/// - Parameters:
///   - command: What to run; its standard output and error are captured.
///   - timeLimit: How long it may take; nil for no limit.
///   - outputLimit: Bytes of standard output and of standard error to keep.
/// - Throws: `ProcessError` if the command cannot be started. A status other
///   than 0 is a result, not an error.
public func capture(
  _ command: Command, timeLimit: Duration? = nil, outputLimit: Int = 1 << 20
) async throws(ProcessError) -> CapturedRun {
  throw ProcessError(.capture, doing: "capture")
}
