package import ProcCtl

/// The life of one worker: events and the time in, effects out. A value without
/// clock or I/O; whoever drives it carries out the effects in order.
///
/// Two rules hold in every state: a commanded stop is never undone by an
/// automatic restart, and a worker is not stopped before the set of its
/// processes is empty and its port is free.
package struct WorkerLife: Sendable {
  private enum Intention: Sendable {
    case run
    case stay
    case startAgain
  }

  package let definition: WorkerDefinition
  package private(set) var state = WorkerState.waiting
  /// How hard it had to be pushed in its last stop.
  package private(set) var force = StopForce.none
  /// How many clients had to be disconnected by force in its last stop.
  package internal(set) var clientsForced = 0
  /// How its leader last ended.
  package private(set) var lastStatus: TerminationStatus?
  /// How often it was started, over its whole life.
  package private(set) var starts = 0
  /// Why it is blocked or failed, for people.
  package private(set) var trouble: String?

  package let portTimeout: Duration
  let clientTimeout: Duration
  var drain: ClientDrain?
  var missing: String?
  /// The last `.lookAtClients`.
  var plannedLook: MonotonicInstant?
  private var intention = Intention.run
  private var delay: RestartDelay
  private var run: EscalationRun<StopRequest>?
  private var leaderRuns = false
  private var hasSurvivors = false
  private var readySince: MonotonicInstant?
  private var deadline: MonotonicInstant?
  private var blockedPause = Duration.seconds(1)
  private var portPause = Duration.milliseconds(20)

  /// - Parameters:
  ///   - portTimeout: How long the port may take to become free after the end.
  ///   - clientTimeout: How long clients have to leave when it is stopped.
  ///   - seed: For the jitter of the restart delays.
  package init(
    definition: WorkerDefinition, portTimeout: Duration, clientTimeout: Duration = .seconds(30), seed: UInt64
  ) {
    self.definition = definition
    self.portTimeout = portTimeout
    self.clientTimeout = clientTimeout
    self.delay = RestartDelay(limits: definition.backoff, seed: seed)
  }

  var killInstant: MonotonicInstant? { self.run?.killInstant }

  // MARK: Events

  package mutating func handle(_ event: Event, at now: MonotonicInstant) -> [Effect] {
    self.respond(to: event, at: now) + self.followDrain(after: event, at: now)
  }

  private mutating func respond(to event: Event, at now: MonotonicInstant) -> [Effect] {
    switch event {
    case .start: self.start()
    case .stop: self.commanded(.stay, at: now)
    case .restart: self.commanded(.startAgain, at: now)
    case .hurry: self.push(at: now) { run, now in run.hurry(at: now) }
    case .kill: self.push(at: now) { run, now in run.skipToKill(at: now) }
    case .portChecked(let holder): self.portChecked(holder: holder, at: now)
    case .spawned: self.spawned(at: now)
    case .guardSpawned: self.spawned(at: now, byGuard: true)
    case .programStarted: self.programStarted(at: now)
    case .spawnFailed(let reason): self.spawnFailed(reason, at: now)
    case .becameReady: self.becameReady(at: now)
    case .leaderEnded(let status): self.leaderEnded(status, at: now)
    case .membersChanged:
      // A run over leftovers has not started before somebody is found to be left.
      self.stopStep { $0.hasStarted ? $0.membersChanged(at: now) : $0.start(at: now) }
    case .emptied: self.emptied(at: now)
    case .portVerified(let holder): self.portVerified(holder: holder, at: now)
    case .requestAnswered, .clientsSeen, .clientsDisconnected: self.respond(toClients: event, at: now)
    case .requestFailed: self.stopStep { $0.requestFailed(at: now) }
    case .notReadyYet(let missing): self.note(missing)
    case .timeReached: self.timeReached(at: now)
    }
  }

  // MARK: Starting

  private mutating func start() -> [Effect] {
    switch self.state {
    case .failed where self.leaderRuns || self.hasSurvivors:
      return []
    case .waiting, .backoff, .blocked, .stopped, .failed:
      self.intention = .run
      // Whoever asks wants to hear of it again.
      self.trouble = nil
      return [.wake(nil)] + self.beginStart()
    case .stopping, .verifying:
      // Commanded while it ends: as soon as it has.
      self.intention = .startAgain
      return []
    case .starting, .ready:
      return []
    }
  }

  private mutating func beginStart() -> [Effect] {
    self.forgetForce()
    self.run = nil
    self.state = .waiting
    return self.definition.port == nil ? [.spawn] : [.checkPort]
  }

  private mutating func portChecked(holder: String?, at now: MonotonicInstant) -> [Effect] {
    guard self.state == .waiting else { return [] }
    if let holder { return self.block("port \(self.definition.port ?? 0) is held by \(holder)", at: now) }
    return [.spawn]
  }

  private mutating func programStarted(at now: MonotonicInstant) -> [Effect] {
    // While its guard failed again and again, nothing was said of its starts.
    let news: [Effect] = self.trouble == nil ? [] : [.entered(.starting, "")]
    self.trouble = nil
    guard self.state == .starting else { return [] }
    return self.definition.ready == .none ? news + self.becomeReady(at: now) : news
  }

  private mutating func spawned(at now: MonotonicInstant, byGuard: Bool = false) -> [Effect] {
    self.leaderRuns = true
    self.starts += 1
    if !byGuard { self.trouble = nil }
    guard self.state == .waiting else {
      // Stopped in between: end what was just made.
      return self.ask(why: "stopped while starting", at: now)
    }
    self.readySince = nil
    if self.definition.ready == .none, !byGuard {
      return [.entered(.starting, "")] + self.becomeReady(at: now)
    }
    self.state = .starting
    let isSaid = byGuard && self.trouble != nil
    let effects = (isSaid ? [] : [Effect.entered(.starting, "")]) + [.awaitReadiness]
    guard self.definition.startTimeout > .zero else { return effects }
    self.deadline = now.advanced(by: self.definition.startTimeout)
    return effects + [.wake(self.deadline)]
  }

  private mutating func spawnFailed(_ reason: String, at now: MonotonicInstant) -> [Effect] {
    switch self.state {
    case .waiting:
      return self.block(reason, at: now)
    case .starting, .ready:
      // A guard was started and could not start the worker's program.
      self.leaderRuns = false
      self.starts -= 1
      return [.endReadiness, .release] + self.block(reason, at: now)
    default:
      return []
    }
  }

  /// Nothing we do makes it better, so try again without a storm, and say it once.
  private mutating func block(_ reason: String, at now: MonotonicInstant) -> [Effect] {
    if self.definition.restart == .never { return self.fail(reason) }
    let news = self.trouble != reason
    self.state = .blocked
    self.trouble = reason
    let pause = self.blockedPause
    self.blockedPause = min(self.blockedPause * 2, max(self.definition.backoff.max, .seconds(1)))
    self.deadline = now.advanced(by: pause)
    let then = self.blockedPause > pause ? ", then ever more rarely" : " and so on"
    let message = "\(reason); trying again in \(pause.text)\(then)"
    return (news ? [.entered(.blocked, message)] : []) + [.wake(self.deadline)]
  }

  private mutating func becameReady(at now: MonotonicInstant) -> [Effect] {
    guard self.state == .starting else { return [] }
    return [.endReadiness] + self.becomeReady(at: now)
  }

  private mutating func becomeReady(at now: MonotonicInstant) -> [Effect] {
    self.state = .ready
    self.readySince = now
    self.blockedPause = .seconds(1)
    self.deadline = nil
    return [.wake(nil), .entered(.ready, "")]
  }

  // MARK: Ending

  private mutating func commanded(_ intention: Intention, at now: MonotonicInstant) -> [Effect] {
    self.intention = intention
    switch self.state {
    case .waiting, .backoff, .blocked:
      if intention == .startAgain { return self.start() }
      // What cleaning up after a crash took is no matter of this stop.
      self.forgetForce()
      self.state = .stopped
      return [.wake(nil), .entered(.stopped, "it was not running")]
    case .starting, .ready:
      return self.ask(why: "asked to stop", at: now)
    case .stopping, .verifying:
      return []
    case .stopped, .failed:
      if intention == .stay, self.state == .stopped { self.forgetForce() }
      return intention == .startAgain ? self.start() : []
    }
  }

  private mutating func leaderEnded(_ status: TerminationStatus, at now: MonotonicInstant) -> [Effect] {
    self.leaderRuns = false
    self.lastStatus = status
    switch self.state {
    case .starting, .ready:
      if let since = self.readySince, since.duration(to: now) >= RestartDelay.stablePeriod {
        self.delay.forget()
      }
      return self.beginStop(
        .leftovers(within: self.definition.stop.timeForSignals), why: "\(status)", at: now)
    case .stopping:
      // Its end does not end the stop: whatever is left is told, and has the
      // rest of the step's time, but not more than leftovers get.
      guard let run = self.run, !run.isKilling else { return [.look] }
      if run.isAsking {
        return self.take(
          .leftovers(within: self.definition.stop.timeForSignals), effects: [.cancelRequest], at: now)
      }
      return self.stopStep { $0.shorten(to: EscalationRun<StopRequest>.leftoverGrace, at: now) } + [.look]
    default:
      return []
    }
  }

  private mutating func forgetForce() {
    self.force = .none
    self.clientsForced = 0
  }

  private mutating func ask(why: String, at now: MonotonicInstant) -> [Effect] {
    self.beginDrain(at: now)
    return self.beginStop(EscalationRun(self.definition.stop), why: why, at: now)
  }

  private mutating func beginStop(
    _ run: EscalationRun<StopRequest>, why: String, at now: MonotonicInstant
  ) -> [Effect] {
    self.state = .stopping
    self.forgetForce()
    return self.take(run, effects: [.endReadiness, .wake(nil), .entered(.stopping, why)], at: now)
  }

  /// Looks before it signals: nobody may be left, and then nothing is needed.
  private mutating func take(
    _ run: EscalationRun<StopRequest>, effects: [Effect], at now: MonotonicInstant
  ) -> [Effect] {
    self.run = run
    if !self.leaderRuns { return effects + [.look] }
    return effects + self.stopStep { $0.start(at: now) }
  }

  private mutating func push(
    at now: MonotonicInstant,
    _ step: (inout EscalationRun<StopRequest>, MonotonicInstant) -> [EscalationRun<StopRequest>.Action]
  ) -> [Effect] {
    switch self.state {
    case .stopping: self.stopStep { run in step(&run, now) }
    case .waiting, .backoff, .blocked, .starting, .ready: self.commanded(.stay, at: now)
    case .verifying, .stopped, .failed: []
    }
  }

  mutating func stopStep(
    _ step: (inout EscalationRun<StopRequest>) -> [EscalationRun<StopRequest>.Action]
  ) -> [Effect] {
    guard self.state == .stopping, var run = self.run else { return [] }
    let actions = step(&run)
    self.run = run
    var effects: [Effect] = []
    for action in actions {
      switch action {
      case .request(let request):
        effects.append(.request(request))
      case .signal(let signal):
        let force = self.force(of: signal, in: run)
        self.force = max(self.force, force)
        effects += self.drainSignalled(isForce: force > .none, isKill: signal == .kill)
        effects += [.cancelRequest, .signal(signal)]
      case .wait(let instant):
        effects.append(.wake(instant))
      case .expired:
        self.hasSurvivors = true
        effects += self.fail("processes survived KILL")
      }
    }
    return effects
  }

  /// The first step asks, in words or by a signal; whatever follows is force.
  private func force(of signal: Signal, in run: EscalationRun<StopRequest>) -> StopForce {
    if signal == .kill { return .kill }
    return run.current == 0 && self.leaderRuns ? .none : .signal
  }

  private mutating func emptied(at now: MonotonicInstant) -> [Effect] {
    if self.state == .failed, self.hasSurvivors {
      // What could not be killed has ended after all.
      self.hasSurvivors = false
      return [.release]
    }
    guard self.state == .stopping else { return [] }
    self.run = nil
    let effects: [Effect] = [.cancelRequest, .wake(nil), .release]
    guard self.definition.port != nil else { return effects + self.ended(at: now) }
    self.state = .verifying
    self.portPause = .milliseconds(20)
    self.deadline = now.advanced(by: self.portTimeout)
    return effects + [.verifyPort]
  }

  private mutating func portVerified(holder: String?, at now: MonotonicInstant) -> [Effect] {
    guard self.state == .verifying else { return [] }
    guard let holder else { return self.ended(at: now) }
    if let deadline = self.deadline, now < deadline {
      // Nothing tells us when a stranger lets go of a port, so look again, ever more rarely.
      let next = min(deadline, now.advanced(by: self.portPause))
      self.portPause = min(self.portPause * 2, .seconds(1))
      return [.wake(next)]
    }
    let trouble = "port \(self.definition.port ?? 0) is still held by \(holder)"
    // Nobody of ours is left, so it is a stranger's: to a worker that shall run, a port like any other
    // that is not free.
    guard self.intention == .stay else {
      self.intention = .run
      return self.block(trouble, at: now)
    }
    return self.fail(trouble)
  }

  private mutating func ended(at now: MonotonicInstant) -> [Effect] {
    switch self.intention {
    case .stay:
      return self.finish("")
    case .startAgain:
      self.intention = .run
      return self.beginStart()
    case .run:
      break
    }
    let succeeded = self.lastStatus?.isSuccess ?? false
    let mayRestart =
      switch self.definition.restart {
      case .always: true
      case .onFailure: !succeeded
      case .never: false
      }
    guard mayRestart else { return self.finish(self.lastStatus.map { "\($0)" } ?? "ended") }
    let delay = self.delay.afterFailure()
    if delay == .zero { return self.beginStart() }
    self.state = .backoff
    self.deadline = now.advanced(by: delay)
    return [.wake(self.deadline), .entered(.backoff, "starts again in \(delay.text)")]
  }

  private mutating func finish(_ why: String) -> [Effect] {
    self.state = .stopped
    return [.wake(nil), .entered(.stopped, why)]
  }

  private mutating func fail(_ reason: String) -> [Effect] {
    self.state = .failed
    self.trouble = reason
    self.run = nil
    return [.wake(nil), .entered(.failed, reason)]
  }

  // MARK: Time

  private mutating func timeReached(at now: MonotonicInstant) -> [Effect] {
    switch self.state {
    case .starting:
      guard let deadline = self.deadline, now >= deadline else { return [.wake(self.deadline)] }
      self.trouble = self.lateness
      return self.ask(why: self.lateness, at: now)
    case .stopping:
      return self.stopStep { $0.timeReached(at: now) }
    case .verifying:
      return [.verifyPort]
    case .backoff, .blocked:
      guard let deadline = self.deadline, now >= deadline else { return [.wake(self.deadline)] }
      return self.beginStart()
    case .waiting, .ready, .stopped, .failed:
      return []
    }
  }
}
