internal import CProcCtl
internal import Glibc
internal import SystemdNotify

/// A terminal at which somebody watches a stop.
public struct ProgressDisplay: Sendable {
  let output: LogOutput
  let isColored: Bool

  /// Standard error, if that is a terminal which can move its cursor, and the log goes there as text; nil
  /// otherwise, and then the log is all there is.
  ///
  /// - Parameter environment: TERM and NO_COLOR are looked at.
  public static func standardError(environment: [String: String]) -> ProgressDisplay? {
    guard isatty(2) == 1, let terminal = environment["TERM"], !terminal.isEmpty, terminal != "dumb" else {
      return nil
    }
    // <https://no-color.org>: any text but none.
    let isColored = environment["NO_COLOR"]?.isEmpty ?? true
    return ProgressDisplay(output: .standardError, isColored: isColored)
  }
}
