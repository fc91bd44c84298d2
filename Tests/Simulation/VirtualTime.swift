package import ProcCtl

/// Time that passes only when everything due now has been done.
package final class VirtualTime: Scheduler {
  private static let origin = MonotonicInstant(nanoseconds: 1_000_000_000)

  package private(set) var now = VirtualTime.origin
  private var timers = TimerQueue()

  package init() {}

  /// Since the start.
  package var elapsed: Duration { Self.origin.duration(to: self.now) }

  package func schedule(at deadline: MonotonicInstant, _ handler: @escaping () -> Void) -> TimerIdentifier {
    TimerIdentifier(number: self.timers.insert(deadline: max(deadline, self.now), handler: handler))
  }

  @discardableResult
  package func after(_ duration: Duration, _ handler: @escaping () -> Void) -> TimerIdentifier {
    self.schedule(at: self.now.advanced(by: duration), handler)
  }

  package func cancel(_ timer: TimerIdentifier) {
    self.timers.remove(timer.number)
  }

  /// Lets time pass in which nothing else is done: something takes long.
  package func pass(_ duration: Duration) {
    self.now = self.now.advanced(by: duration)
  }

  /// Does the next thing that is due; false if nothing is planned.
  package func step() -> Bool {
    guard let next = self.timers.earliestDeadline, let handler = self.timers.popDue(at: next) else {
      return false
    }
    self.now = max(self.now, next)
    handler()
    return true
  }
}
