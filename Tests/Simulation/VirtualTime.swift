internal import ProcCtl

/// Time that passes only when everything due now has been done.
final class VirtualTime: Scheduler {
  private static let origin = MonotonicInstant(nanoseconds: 1_000_000_000)

  private(set) var now = VirtualTime.origin
  private var timers = TimerQueue()

  /// Since the start.
  var elapsed: Duration { Self.origin.duration(to: self.now) }

  func schedule(at deadline: MonotonicInstant, _ handler: @escaping () -> Void) -> TimerIdentifier {
    TimerIdentifier(number: self.timers.insert(deadline: max(deadline, self.now), handler: handler))
  }

  @discardableResult
  func after(_ duration: Duration, _ handler: @escaping () -> Void) -> TimerIdentifier {
    self.schedule(at: self.now.advanced(by: duration), handler)
  }

  func cancel(_ timer: TimerIdentifier) {
    self.timers.remove(timer.number)
  }

  /// Does the next thing that is due; false if nothing is planned.
  func step() -> Bool {
    guard let next = self.timers.earliestDeadline, let handler = self.timers.popDue(at: next) else {
      return false
    }
    self.now = next
    handler()
    return true
  }
}
