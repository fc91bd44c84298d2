internal import ProcCtl

/// What follows once every worker has ended: strangers are swept, everything is
/// verified, cleanups run.
extension Master {
  /// Descendants that belong to no worker, or to one that could not be ended.
  func beginSweep() {
    // Who has a port of a worker that is stopped is a stranger like all.
    for worker in self.workers { worker.portStop?.cancel() }
    var strangers = self.hasStrangers()
    let target = Termination.Target(
      members: { [unowned self] () throws(ProcessError) in
        self.sets.invalidate()
        return try self.everyoneLeft()
      },
      send: { [unowned self] signal, members in
        // Whom nobody could see at first is seen now.
        strangers = strangers ?? self.hasStrangers()
        return self.kernel.send(signal, toAll: members)
      },
      urgently: { [unowned self] body in self.kernel.urgently(body) })
    // What survived KILL as part of a worker is not asked again.
    let escalation =
      strangers == false
      ? Escalation(steps: []) : Escalation.standard(grace: EscalationRun<StopRequest>.leftoverGrace)
    let sweep = Termination(scheduler: self.scheduler, escalation: escalation, target: target) {
      [unowned self] result in
      self.outcome.survivors = result.survivors.map(\.description)
      self.unverified = result.unverified
      let stray = "what belonged to no worker"
      if let signal = result.lastSignal, strangers != false {
        if signal == .kill { self.outcome.killed.append(stray) } else { self.outcome.signalled.append(stray) }
      }
      self.advance(.swept)
    }
    self.sweep = sweep
    self.report()
    sweep.start()
  }

  /// Whether somebody is left who belongs to no worker; nil where nobody can say.
  private func hasStrangers() -> Bool? {
    do throws(ProcessError) {
      var known: Set<ProcessIdentity> = []
      for worker in self.workers {
        guard let leader = worker.leader else { continue }
        known.insert(leader)
        known.formUnion(try self.members(of: worker, .recent).map(\.identity))
      }
      // Zombies are their parent's affair: a guard keeps one that is not counted as its worker's.
      return try self.everyoneLeft().contains { !$0.isDead && !known.contains($0.identity) }
    } catch {
      return nil
    }
  }

  private func everyoneLeft() throws(ProcessError) -> [ProcessStatus] {
    // A leader that has ended is ours to reap, at the very end; whoever else has died meanwhile, now.
    try self.kernel.descendants(of: self.kernel.selfIdentifier).filter { process in
      if process.isDead, process.parent == self.kernel.selfIdentifier,
        self.leaders[process.processIdentifier] == nil, self.kernel.reap(process.processIdentifier) != nil
      {
        return false
      }
      return self.leaders[process.processIdentifier]?.leaderRuns ?? true
    }
  }

  /// Writes down what is left.
  func verify() {
    for worker in self.workers {
      self.release(worker)
      if worker.life.clientsForced > 0 { self.outcome.clientsForced = true }
      switch worker.life.force {
      case .none: break
      case .signal: self.outcome.signalled.append(worker.definition.name)
      case .kill: self.outcome.killed.append(worker.definition.name)
      }
      // What never ran holds nothing: somebody had the port before us, and the worker was blocked.
      guard worker.life.starts > 0 else { continue }
      if let port = worker.definition.port, let holder = self.holder(ofPortOf: worker) {
        self.outcome.heldPorts.append("\(port) (\(worker.definition.name)) held by \(holder)")
      }
    }
    self.resourcesOver()
    // ECHILD is the kernel's proof; a survivor list that is empty without it would be a lie.
    if self.outcome.survivors.isEmpty, !self.noChildrenLeft() {
      self.outcome.survivors.append(
        self.unverified.map { "nobody can say who: \($0)" } ?? "a child the kernel knows and does not show")
    }
    self.advance(.verified)
  }

  func clean() {
    self.stopLooking()
    self.reportNow()
    self.cleanups.run { [unowned self] failures in
      self.outcome.failedCleanups += failures
      self.outcome.survivors += self.cleanups.survivors
      self.advance(.cleaned)
    }
  }

  func end() {
    if let timer = self.reportTimer { self.scheduler.cancel(timer) }
    self.reportNow()
    self.observer?.ended(self.outcome)
  }

  private func noChildrenLeft() -> Bool {
    var events: [Reaper.Event]
    // Nobody lives who could make more of them.
    repeat {
      events = self.reaper.collect()
      if events.contains(.noChildrenLeft) { self.noChildren = true }
    } while events.contains(.moreToCollect)
    return self.noChildren
  }
}
