/// A process for good: its id together with its start time.
///
/// Process ids are reused, within seconds on a busy machine; the pair is not,
/// until the next boot. The start time is field 22 of /proc/PID/stat, in clock
/// ticks since boot (proc(5)).
public struct ProcessIdentity: Hashable, Sendable, CustomStringConvertible {
  /// The id, as this process's pid namespace sees it.
  public var processIdentifier: ProcessIdentifier
  /// Clock ticks since boot (sysconf(3), _SC_CLK_TCK).
  public var startTime: UInt64

  /// Takes an id and a start time as they are; nothing is looked up.
  public init(processIdentifier: ProcessIdentifier, startTime: UInt64) {
    self.processIdentifier = processIdentifier
    self.startTime = startTime
  }

  /// `PID@STARTTIME`, the form `procctl kill-group` accepts.
  public var description: String { "\(self.processIdentifier)@\(self.startTime)" }
}
