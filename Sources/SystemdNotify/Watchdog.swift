internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// How often the service manager wants to hear from us (WatchdogSec=, sd_watchdog_enabled(3)).
///
/// A value: it has no clock and sends nothing. The driver asks when the next ping is due and
/// calls ``ServiceNotifier/watchdogPing()`` then, if there is progress to vouch for.
public struct Watchdog: Hashable, Sendable {
  /// Silent for this long, we are killed.
  public let timeout: Duration

  /// - Returns: nil for a timeout that is not positive: there is nothing to keep.
  public init?(timeout: Duration) {
    guard timeout > .zero else { return nil }
    self.timeout = timeout
  }

  /// The watchdog that was asked of this very process, by `WATCHDOG_USEC` and `WATCHDOG_PID`; nil
  /// if none was, or of another process.
  ///
  /// - Throws: ``NotificationError`` with code `.environment` if the variables are malformed.
  public static func fromEnvironment() throws(NotificationError) -> Watchdog? {
    var microseconds: UInt64 = 0
    let result = sd_watchdog_enabled(0, &microseconds)
    guard result >= 0 else {
      throw NotificationError(
        .environment, doing: "WATCHDOG_USEC or WATCHDOG_PID", underlyingError: Errno(rawValue: -result))
    }
    guard result > 0 else { return nil }
    return Watchdog(timeout: .microseconds(Int64(clamping: microseconds)))
  }

  /// Half of the timeout, however short that is: a late wake-up by as much again is survived.
  public var pingInterval: Duration { self.timeout / 2 }

  /// When to ping next, on any clock: half a timeout after the last one, or at once if that has passed.
  public func nextPing<Instant: InstantProtocol>(
    after lastPing: Instant, now: Instant
  ) -> Instant where Instant.Duration == Duration {
    max(now, lastPing.advanced(by: self.pingInterval))
  }

  /// When the service manager gives up on us if nothing more is said.
  public func deadline<Instant: InstantProtocol>(
    after lastPing: Instant
  ) -> Instant where Instant.Duration == Duration {
    lastPing.advanced(by: self.timeout)
  }
}
