/// A process for good: its id together with its start time.
///
/// Process ids are reused, within seconds on a busy machine; the pair is not,
/// until the next boot. The start time is field 22 of /proc/PID/stat, in clock
/// ticks since boot (proc(5)).
public struct ProcessIdentity: Hashable, Sendable, CustomStringConvertible {
  public var processIdentifier: ProcessIdentifier
  public var startTime: UInt64

  public init(processIdentifier: ProcessIdentifier, startTime: UInt64) {
    self.processIdentifier = processIdentifier
    self.startTime = startTime
  }

  /// `PID@STARTTIME`, the form `procctl kill-group` accepts.
  public var description: String { "\(self.processIdentifier)@\(self.startTime)" }
}
