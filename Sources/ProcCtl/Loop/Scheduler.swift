/// Calls back at an instant: the event loop, or a simulation's virtual time.
package protocol Scheduler: AnyObject {
  var now: MonotonicInstant { get }

  /// Calls the handler once, at the instant or as soon after it as possible.
  func schedule(at deadline: MonotonicInstant, _ handler: @escaping () -> Void) -> TimerIdentifier

  /// Does nothing if the timer has fired.
  func cancel(_ timer: TimerIdentifier)
}

/// Names an armed timer; harmless once it has fired or was cancelled.
package struct TimerIdentifier: Hashable, Sendable {
  package let number: UInt64

  package init(number: UInt64) {
    self.number = number
  }
}
