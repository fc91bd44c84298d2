/// A walk through the steps of a stop: a value without clock or I/O.
///
/// The owner tells it the time and what happened, carries out the actions, and
/// drops it once the set is empty. It ends by itself only with `.expired`, when
/// the last step's time is over and somebody still lives.
package struct EscalationRun<Request: Sendable & Equatable>: Sendable, Equatable {
  package enum Step: Sendable, Equatable {
    /// Asks in words (an HTTP request) instead of by signal.
    case request(Request, wait: Duration)
    case signal(Signal, wait: Duration)

    package var wait: Duration {
      switch self {
      case .request(_, let wait), .signal(_, let wait): wait
      }
    }
  }

  package enum Action: Sendable, Equatable {
    case request(Request)
    /// Send it to every living member of the set, found afresh.
    case signal(Signal)
    /// Call ``timeReached(at:)`` then. Replaces any earlier wait.
    case wait(until: MonotonicInstant)
    /// Time is over; name the survivors.
    case expired
  }

  package let steps: [Step]
  /// The step being waited for; nil before the start and after `.expired`.
  package private(set) var current: Int?
  private var deadline = MonotonicInstant(nanoseconds: 0)
  /// When even a set that keeps shrinking is given up.
  private var limit = MonotonicInstant(nanoseconds: 0)
  /// Of those seen alive since KILL.
  private var fewest: Int?
  private var nextSweep: Duration = .milliseconds(10)
  /// When the next look while killing is due.
  private var nextLook = MonotonicInstant(nanoseconds: 0)
  private var killsNext = false
  package private(set) var hasExpired = false

  package init(steps: [Step]) {
    self.steps = steps
  }

  package var hasStarted: Bool { self.current != nil || self.hasExpired }

  /// Whether KILL has been sent.
  package var isKilling: Bool {
    guard let current = self.current else { return self.hasExpired }
    if case .signal(.kill, _) = self.steps[current] { return true }
    return false
  }

  /// Takes the first step.
  package mutating func start(at now: MonotonicInstant) -> [Action] {
    guard self.current == nil, !self.hasExpired else { return [] }
    return self.take(step: 0, at: now)
  }

  /// The awaited instant has come.
  package mutating func timeReached(at now: MonotonicInstant) -> [Action] {
    guard let current = self.current else { return [] }
    if self.isKilling { self.allowForDelay(at: now) }
    if now >= self.deadline { return self.take(step: self.next(after: current), at: now) }
    return self.isKilling ? self.killAgain(at: now) : [.wait(until: self.deadline)]
  }

  /// A process of the set has ended or was adopted. While killing, whoever was
  /// born since the last look is killed too: processes fork while they die. And
  /// where the kernel is still at it, hundreds at once on a busy machine, it gets more time.
  package mutating func membersChanged(at now: MonotonicInstant) -> [Action] {
    guard self.isKilling, let current = self.current else { return [] }
    self.deadline = max(self.deadline, min(self.limit, now.advanced(by: self.steps[current].wait)))
    return [.signal(.kill)]
  }

  /// So many were alive at a look. Only a parent hears of an end: not of those who die in a pid namespace
  /// or below somebody else, hundreds at once and on a busy machine. Fewer than ever get more time as well.
  package mutating func saw(living: Int, at now: MonotonicInstant) {
    guard self.isKilling, let current = self.current else { return }
    if let fewest = self.fewest, living < fewest {
      self.deadline = max(self.deadline, min(self.limit, now.advanced(by: self.steps[current].wait)))
    }
    self.fewest = min(self.fewest ?? living, living)
  }

  /// The asked one said no, or cannot be asked: go on at once.
  package mutating func requestFailed(at now: MonotonicInstant) -> [Action] {
    guard let current = self.current, case .request = self.steps[current] else { return [] }
    return self.take(step: current + 1, at: now)
  }

  /// The set's leader is gone. Who is left has been sent the signal; they keep
  /// the step's time, at most this long, and KILL is next.
  package mutating func shorten(to grace: Duration, at now: MonotonicInstant) -> [Action] {
    guard self.current != nil, !self.isKilling else { return [] }
    self.killsNext = true
    self.deadline = min(self.deadline, now.advanced(by: grace))
    return [.wait(until: self.deadline)]
  }

  /// When KILL is due if nothing changes; nil before the start, and once it has been sent.
  package var killInstant: MonotonicInstant? {
    guard let current = self.current, !self.isKilling else { return nil }
    if self.killsNext { return self.deadline }
    let later = self.steps[(current + 1)...].prefix {
      if case .signal(.kill, _) = $0 { false } else { true }
    }
    return self.deadline.advanced(by: later.reduce(.zero) { $0 + $1.wait })
  }

  /// Whether words are being waited for, no signal yet.
  package var isAsking: Bool {
    guard let current = self.current, case .request = self.steps[current] else { return false }
    return true
  }

  /// Somebody is impatient: goes on to the next step; the last one is not cut short.
  package mutating func hurry(at now: MonotonicInstant) -> [Action] {
    guard let current = self.current, current + 1 < self.steps.count else { return [] }
    return self.take(step: self.next(after: current), at: now)
  }

  /// Goes straight to KILL.
  package mutating func skipToKill(at now: MonotonicInstant) -> [Action] {
    guard !self.isKilling, let last = self.steps.indices.last else { return [] }
    return self.take(step: last, at: now)
  }

  private func next(after current: Int) -> Int {
    self.killsNext ? max(current + 1, self.steps.count - 1) : current + 1
  }

  private mutating func take(step: Int, at now: MonotonicInstant) -> [Action] {
    guard step < self.steps.count else {
      self.current = nil
      self.hasExpired = true
      return [.expired]
    }
    self.current = step
    self.deadline = now.advanced(by: self.steps[step].wait)
    self.limit = now.advanced(by: self.steps[step].wait * Escalation.killPatience)
    switch self.steps[step] {
    case .request(let request, _):
      return [.request(request), .wait(until: self.deadline)]
    case .signal(.kill, _):
      return self.killAgain(at: now)
    case .signal(let signal, _):
      return [.signal(signal), .wait(until: self.deadline)]
    }
  }

  /// A child born between the look and the signal announces itself to nobody,
  /// so while killing we also look again, at growing intervals.
  private mutating func killAgain(at now: MonotonicInstant) -> [Action] {
    let next = min(self.deadline, now.advanced(by: self.nextSweep))
    self.nextSweep = min(self.nextSweep * 2, .milliseconds(100))
    self.nextLook = next
    return [.signal(.kill), .wait(until: next)]
  }

  /// A look that comes late: looking took long, or the machine stood still, and whoever is to die had no
  /// more of that time than we had.
  private mutating func allowForDelay(at now: MonotonicInstant) {
    guard now > self.nextLook else { return }
    self.deadline = min(self.limit, self.deadline.advanced(by: self.nextLook.duration(to: now)))
  }
}

extension EscalationRun where Request == Never {
  package init(_ escalation: Escalation) {
    self.init(steps: escalation.steps.map { .signal($0.signal, wait: $0.wait) })
  }
}
