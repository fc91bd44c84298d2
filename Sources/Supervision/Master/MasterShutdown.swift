internal import ProcCtl

/// What follows once every worker has ended: strangers are swept, everything is
/// verified, cleanups run.
extension Master {
  /// Descendants that belong to no worker, or to one that could not be ended.
  func beginSweep() {
    self.phase = .sweeping
    let strangers = self.hasStrangers()
    let target = Termination.Target(
      members: { [unowned self] () throws(ProcessError) in
        self.sets.invalidate()
        return try self.everyoneLeft()
      },
      send: { [unowned self] signal, members in self.kernel.send(signal, toAll: members) })
    // What survived KILL as part of a worker is not asked again.
    let escalation =
      strangers ? Escalation.standard(grace: EscalationRun<StopRequest>.leftoverGrace) : Escalation(steps: [])
    let sweep = Termination(scheduler: self.scheduler, escalation: escalation, target: target) {
      [unowned self] result in
      self.outcome.survivors = result.survivors.map(\.description)
      self.unverified = result.unverified
      let stray = "what belonged to no worker"
      if result.lastSignal == .kill, strangers { self.outcome.killed.append(stray) }
      if let signal = result.lastSignal, signal != .kill { self.outcome.signalled.append(stray) }
      self.verified()
    }
    self.sweep = sweep
    self.report()
    sweep.start()
  }

  /// Whether somebody is left who belongs to no worker; so it is taken to be where nobody can say.
  private func hasStrangers() -> Bool {
    do throws(ProcessError) {
      for left in try self.everyoneLeft() {
        var isKnown = false
        for worker in self.workers where worker.leader != nil && !isKnown {
          isKnown = try self.members(of: worker).contains(left)
        }
        if !isKnown { return true }
      }
      return false
    } catch {
      return true
    }
  }

  private func everyoneLeft() throws(ProcessError) -> [ProcessStatus] {
    // A leader that has ended is ours to reap, at the very end.
    try self.kernel.descendants(of: self.kernel.selfIdentifier).filter { process in
      self.leaders[process.processIdentifier]?.leaderRuns ?? true
    }
  }

  private func verified() {
    for worker in self.workers {
      self.release(worker)
      switch worker.life.force {
      case .none: break
      case .signal: self.outcome.signalled.append(worker.definition.name)
      case .kill: self.outcome.killed.append(worker.definition.name)
      }
      // What never ran holds nothing: somebody had the port before us, and the worker was blocked.
      guard worker.life.starts > 0 else { continue }
      if let port = worker.definition.port, let holder = self.network.holder(ofPort: port) {
        self.outcome.heldPorts.append("\(port) (\(worker.definition.name)) held by \(holder)")
      }
    }
    // ECHILD is the kernel's proof; a survivor list that is empty without it would be a lie.
    if self.outcome.survivors.isEmpty, !self.noChildrenLeft() {
      self.outcome.survivors.append(
        self.unverified.map { "nobody can say who: \($0)" } ?? "a child the kernel knows and does not show")
    }
    self.phase = .cleaning
    self.reportNow()
    self.cleanups.run { [unowned self] failures in
      self.outcome.failedCleanups = failures
      self.phase = .ended
      if let timer = self.reportTimer { self.scheduler.cancel(timer) }
      self.reportNow()
      self.observer?.ended(self.outcome)
    }
  }

  private func noChildrenLeft() -> Bool {
    if self.reaper.collect().contains(.noChildrenLeft) { self.noChildren = true }
    return self.noChildren
  }
}
