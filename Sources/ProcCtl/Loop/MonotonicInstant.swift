internal import CProcCtl

/// A point on the kernel's monotonic clock (CLOCK_MONOTONIC, clock_gettime(2)).
///
/// Never the wall clock: a deadline must not move when somebody sets the time.
public struct MonotonicInstant: Comparable, Hashable, Sendable, InstantProtocol {
  /// Nanoseconds since an unspecified start (in practice: boot).
  public var nanoseconds: Int64

  /// Takes a reading of the clock.
  public init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  /// The clock's reading now.
  public static var now: MonotonicInstant {
    MonotonicInstant(nanoseconds: cprocctl_monotonic_nanoseconds())
  }

  /// The instant later by the duration, or earlier by a negative one; at most what 64 bits hold, 292 years.
  public func advanced(by duration: Duration) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: self.nanoseconds.addingSaturating(duration.wholeNanoseconds))
  }

  /// The time from this instant to the other; negative if that is earlier.
  public func duration(to other: MonotonicInstant) -> Duration {
    .nanoseconds(other.nanoseconds - self.nanoseconds)
  }

  /// Whether the left one is earlier.
  public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
}

extension Duration {
  /// This duration in nanoseconds, saturating at the range of Int64 (292 years).
  package var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = self.components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    return product.addingSaturating(attoseconds / 1_000_000_000)
  }
}

extension Int64 {
  fileprivate func addingSaturating(_ other: Int64) -> Int64 {
    let (sum, overflow) = self.addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }
}
