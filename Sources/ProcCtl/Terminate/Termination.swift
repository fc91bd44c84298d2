/// Carries out an escalation on a set of processes: turns its actions into
/// signals and timers, looks afresh who is in the set each time, and ends when
/// the set is empty or time is over.
///
/// While it cannot look (out of descriptors or memory, say) nobody is taken to be
/// gone: it looks again soon, signals only what needs no look, a cgroup or a group,
/// and says so in its result if that lasts until time is over.
///
/// Confined to the scheduler's thread.
package final class Termination {
  /// Who is in the set, and how it is signalled.
  package struct Target {
    /// Everyone still in it, found afresh at each call.
    package var members: () throws(ProcessError) -> [ProcessStatus]
    /// Sends the signal to these members; returns who refused it. Without members,
    /// to whatever can be reached without knowing them.
    package var send: (Signal, [ProcessStatus]) -> [(ProcessStatus, ProcessError)]
    /// Runs a look and the KILL that follows with nobody in between, where that can be had.
    package var urgently: (() -> Void) -> Void

    package init(
      members: @escaping () throws(ProcessError) -> [ProcessStatus],
      send: @escaping (Signal, [ProcessStatus]) -> [(ProcessStatus, ProcessError)],
      urgently: @escaping (() -> Void) -> Void = { $0() }
    ) {
      self.urgently = urgently
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

  private typealias Advance = (inout EscalationRun<Never>, MonotonicInstant) -> [EscalationRun<Never>.Action]
  /// What happened since we could look last.
  private var pending: [Advance] = []
  private var blindSince: MonotonicInstant?
  private var secondLook: TimerIdentifier?

  /// How long the escalation is held up by not being able to look, before it goes on without.
  private static let patience = Duration.milliseconds(500)
  private static let lookAgainAfter = Duration.milliseconds(20)

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

  private func advance(_ step: @escaping Advance) {
    guard self.completion != nil else { return }
    self.pending.append(step)
    if self.run.isKilling { self.target.urgently { self.look() } } else { self.look() }
  }

  private func look() {
    guard self.completion != nil else { return }
    if let timer = self.secondLook { self.scheduler.cancel(timer) }
    self.secondLook = nil
    var members: [ProcessStatus] = []
    do throws(ProcessError) {
      members = try self.target.members()
      self.blindSince = nil
      if members.isEmpty { return self.finish(survivors: []) }
      self.run.saw(living: members.count { !$0.isDead }, at: self.scheduler.now)
    } catch {
      self.secondLook = self.scheduler.schedule(
        at: self.scheduler.now.advanced(by: Termination.lookAgainAfter)
      ) { [weak self] in
        self?.look()
      }
      let since = self.blindSince ?? self.scheduler.now
      self.blindSince = since
      if since.duration(to: self.scheduler.now) < Termination.patience { return }
    }
    let steps = self.pending
    self.pending = []
    for step in steps {
      for action in step(&self.run, self.scheduler.now) { self.carryOut(action, on: members) }
    }
  }

  private func carryOut(_ action: EscalationRun<Never>.Action, on members: [ProcessStatus]) {
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
      do throws(ProcessError) {
        self.finish(survivors: try self.target.members())
      } catch {
        self.finish(survivors: [], unverified: error)
      }
    }
  }

  private func finish(survivors: [ProcessStatus], unverified: ProcessError? = nil) {
    for timer in [self.timer, self.secondLook] { if let timer { self.scheduler.cancel(timer) } }
    let completion = self.completion
    self.completion = nil
    self.pending = []
    // Who is in the set usually refers to us: let go, or neither is ever freed.
    self.target = Target(members: { [] }, send: { _, _ in [] })
    completion?(
      StopResult(
        lastSignal: self.lastSignal,
        survivors: survivors.map {
          Survivor(examining: $0, refusal: self.refusals[$0.identity])
        }, unverified: unverified,
        duration: self.startedAt.duration(to: self.scheduler.now)))
  }
}
