internal import ProcCtl

/// Workers that run under a guard: the child we hold is the guard, and what it tells is
/// what happens to the worker.
extension Master {
  /// How long a guard may take to end once nobody is below it. One that was stopped never would.
  private static let guardsOwnEnd = Duration.seconds(5)

  func listen(to worker: WorkerRecord) {
    worker.guardian?.workerGuard.whenTold = { [unowned self, unowned worker] event in
      self.told(event, of: worker)
      self.drain()
    }
  }

  private func told(_ event: GuardEvent, of worker: WorkerRecord) {
    guard let guardian = worker.guardian else { return }
    switch event {
    case .started(let identity):
      // The first process of a pid namespace counts from 1; there we know the program only as its child.
      if !guardian.endsWithGuard { guardian.program = identity }
      // A stop that was faster than the guard had nobody to signal.
      if let signal = worker.lastSignal { self.send(signal, to: worker) }
    case .failed(let reason):
      guardian.failure = reason
    case .commandEnded(let status, let leftovers):
      guardian.hasEnded = true
      self.sets.invalidate()
      if leftovers == 0 { self.expectEnd(ofGuardOf: worker) }
      self.post(worker, .leaderEnded(status))
    // The kernel tells the same by SIGCHLD, and more surely.
    case .ended: break
    }
  }

  /// The guard itself has ended, and with it whatever it would have told.
  func leaderEnded(_ worker: WorkerRecord, _ status: TerminationStatus) {
    guard let guardian = worker.guardian else { return self.post(worker, .leaderEnded(status)) }
    guardian.workerGuard.drain()
    // Of a guard that was killed we have inherited it, and nobody else can get its number before we reap it.
    if let program = guardian.program,
      self.kernel.status(of: program.processIdentifier)?.identity == program
    {
      self.sets.add(worker: worker.index, program: program.processIdentifier)
    }
    if guardian.hasEnded { return }
    guardian.hasEnded = true
    if let failure = guardian.failure, worker.life.state != .stopping {
      return self.post(worker, .spawnFailed(failure))
    }
    if case .signaled(let signal, _) = status, worker.lastSignal != .kill {
      self.note(worker, "its guard was ended by \(signal)", isTrouble: true)
    }
    self.post(worker, .leaderEnded(status))
  }

  /// The worker's program has ended and its guard has not: somebody is left, or the guard is about to end.
  func lookBelowGuard(of worker: WorkerRecord) {
    guard worker.guardian?.hasEnded == true else { return }
    // Whoever was left when the guard counted may be gone by now.
    if self.members(of: worker, .exact).isEmpty { return self.expectEnd(ofGuardOf: worker) }
    self.post(worker, .membersChanged)
  }

  /// Whom a signal to the worker goes to: everybody below the guard. The guard is no member, and by
  /// KILL it goes last, because what it watches would escape it otherwise; unless the kernel ends
  /// them with it.
  func addressees(of signal: Signal, in worker: WorkerRecord) -> [ProcessStatus] {
    let members = self.members(of: worker, .recent)
    guard signal == .kill, worker.leaderRuns, let guardian = worker.guardian, let leader = worker.leader,
      guardian.endsWithGuard || members.isEmpty
    else { return members }
    return [self.kernel.status(of: leader.processIdentifier)].compactMap(\.self) + members
  }

  private func expectEnd(ofGuardOf worker: WorkerRecord) {
    guard let leader = worker.leader, let guardian = worker.guardian, !guardian.isExpectedToEnd else {
      return
    }
    guardian.isExpectedToEnd = true
    _ = self.scheduler.schedule(at: self.scheduler.now.advanced(by: Master.guardsOwnEnd)) {
      [weak self, weak worker] in
      guard let self, let worker, worker.leader == leader, worker.leaderRuns,
        let status = self.kernel.status(of: leader.processIdentifier)
      else { return }
      guardian.isExpectedToEnd = false
      self.sets.invalidate()
      guard self.members(of: worker, .exact).isEmpty else {
        self.look(at: worker)
        return self.drain()
      }
      self.note(worker, "its guard does not end; killing it", isTrouble: true)
      self.kernel.send(.kill, toAll: [status])
    }
  }
}
