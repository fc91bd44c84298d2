/// Carries out an escalation on a set of processes: turns its actions into
/// signals and timers, looks afresh who is in the set each time, and ends when
/// the set is empty or time is over.
///
/// Confined to the scheduler's thread.
package final class Termination {
  /// Who is in the set, and how it is signalled.
  package struct Target {
    /// Everyone still in it, found afresh at each call.
    package var members: () -> [ProcessStatus]
    /// Sends the signal to these members; returns who refused it.
    package var send: (Signal, [ProcessStatus]) -> [(ProcessStatus, ProcessError)]

    package init(
      members: @escaping () -> [ProcessStatus],
      send: @escaping (Signal, [ProcessStatus]) -> [(ProcessStatus, ProcessError)]
    ) {
      self.members = members
      self.send = send
    }
  }

  private let scheduler: any Scheduler
  private var target: Target
  private var run: EscalationRun<Never>
  private var timer: TimerIdentifier?
  private var refusals: [ProcessIdentity: String] = [:]
  private var lastSignal: Signal?
  private let startedAt: MonotonicInstant
  private var completion: ((StopResult) -> Void)?

  package init(
    scheduler: any Scheduler, escalation: Escalation, target: Target,
    completion: @escaping (StopResult) -> Void
  ) {
    self.scheduler = scheduler
    self.target = target
    self.run = EscalationRun(escalation)
    self.completion = completion
    self.startedAt = scheduler.now
  }

  package func start() {
    self.advance { run, now in run.start(at: now) }
  }

  /// Call it when a process has ended, or may have.
  package func membersChanged() {
    self.advance { run, now in run.membersChanged(at: now) }
  }

  package func hurry() {
    self.advance { run, now in run.hurry(at: now) }
  }

  package func skipToKill() {
    self.advance { run, now in run.skipToKill(at: now) }
  }

  private func advance(
    _ step: (inout EscalationRun<Never>, MonotonicInstant) -> [EscalationRun<Never>.Action]
  ) {
    guard self.completion != nil else { return }
    let members = self.target.members()
    if members.isEmpty { return self.finish(survivors: []) }
    for action in step(&self.run, self.scheduler.now) {
      switch action {
      case .request: break
      case .signal(let signal):
        self.lastSignal = signal
        for (process, error) in self.target.send(signal, members) {
          self.refusals[process.identity] = error.description
        }
      case .wait(let instant):
        if let timer = self.timer { self.scheduler.cancel(timer) }
        self.timer = self.scheduler.schedule(at: instant) { [weak self] in
          self?.advance { run, now in run.timeReached(at: now) }
        }
      case .expired:
        self.finish(survivors: self.target.members())
      }
    }
  }

  private func finish(survivors: [ProcessStatus]) {
    if let timer = self.timer { self.scheduler.cancel(timer) }
    let completion = self.completion
    self.completion = nil
    // Who is in the set usually refers to us: let go, or neither is ever freed.
    self.target = Target(members: { [] }, send: { _, _ in [] })
    completion?(
      StopResult(
        lastSignal: self.lastSignal,
        survivors: survivors.map {
          Survivor(examining: $0, refusal: self.refusals[$0.identity])
        },
        duration: self.startedAt.duration(to: self.scheduler.now)))
  }
}
