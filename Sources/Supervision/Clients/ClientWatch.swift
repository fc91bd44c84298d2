internal import ProcCtl

/// When the clients of which workers have to be looked at: one look serves all workers that are being
/// stopped, because the kernel's table is read for all their ports at once.
final class ClientWatch {
  /// A look this young does for whoever wants one now.
  private static let freshness = Duration.milliseconds(20)
  private static let shortestPause = Duration.milliseconds(5)

  private let scheduler: any Scheduler
  private var due: [Int: MonotonicInstant] = [:]
  private var timer: (identifier: TimerIdentifier, instant: MonotonicInstant)?
  private var lastLook: MonotonicInstant?
  /// What the last look took.
  private var cost = Duration.zero
  /// Look at all who are watched, after ``begin()``.
  var whenDue: () -> Void = {}

  init(scheduler: any Scheduler) {
    self.scheduler = scheduler
  }

  /// The workers that are being stopped: each look is at all of them, so that it is as young for each.
  private(set) var watched: Set<Int> = []

  /// Looks at this worker then, or sooner; nil if no look is planned.
  func watch(_ worker: Int, at instant: MonotonicInstant?) {
    self.watched.insert(worker)
    self.due[worker] = instant
    if let instant { self.arm(for: instant) }
  }

  /// Whether the last look is too old to decide by.
  var isStale: Bool {
    // Where looking takes long, a thousand workers that are decided about in a row must not be a
    // thousand looks.
    let freshness = max(Self.freshness, self.cost * 10)
    return self.lastLook.map { $0.duration(to: self.scheduler.now) > freshness } ?? true
  }

  func forget(_ worker: Int) {
    self.watched.remove(worker)
    self.due[worker] = nil
  }

  /// A look begins now.
  func begin() {
    self.lastLook = self.scheduler.now
  }

  func end() {
    self.cost = self.lastLook.map { $0.duration(to: self.scheduler.now) } ?? .zero
  }

  private func arm(for instant: MonotonicInstant) {
    // What is due now is looked at once everything that happens at this moment has happened.
    let earliest = self.lastLook?.advanced(by: Self.shortestPause) ?? self.scheduler.now
    let instant = max(instant, earliest, self.scheduler.now)
    if let timer = self.timer {
      guard instant < timer.instant else { return }
      self.scheduler.cancel(timer.identifier)
    }
    let identifier = self.scheduler.schedule(at: instant) { [unowned self] in self.fired() }
    self.timer = (identifier, instant)
  }

  private func fired() {
    self.timer = nil
    // The one who asked for it may have ended.
    if self.due.values.contains(where: { $0 <= self.scheduler.now }) { self.whenDue() }
    if let next = self.due.values.min() { self.arm(for: next) }
  }
}
