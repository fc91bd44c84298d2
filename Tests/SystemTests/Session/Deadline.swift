import CProcCtl
import Glibc

/// An instant of the monotonic clock that a wait must not pass.
struct Deadline: Sendable {
  private let instant: Int64

  init(in duration: Duration) {
    self.instant = cprocctl_monotonic_nanoseconds() + Int64(duration / .nanoseconds(1))
  }

  /// For poll(2): what is left, rounded up; 0 once it has passed.
  var milliseconds: Int32 {
    let left = self.instant - cprocctl_monotonic_nanoseconds()
    return left <= 0 ? 0 : Int32(clamping: (left + 999_999) / 1_000_000)
  }

  var hasPassed: Bool { self.milliseconds == 0 }
}

/// Measures from its making.
struct Stopwatch: Sendable {
  private let start = cprocctl_monotonic_nanoseconds()

  var elapsed: Duration { .nanoseconds(cprocctl_monotonic_nanoseconds() - self.start) }
}

/// What a test waited for did not come.
struct WaitError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
