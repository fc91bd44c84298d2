package import ProcCtl

/// How a master finds out who has ended and who is there.
extension Master {
  /// SIGCHLD came: one or many children have ended.
  ///
  /// Where looking takes long there is a rest after each look: thousands of
  /// workers that end one by one are found in groups, not each by a look at all.
  package func childrenChanged() {
    guard self.lookTimer == nil else { return }
    let now = self.scheduler.now
    guard now < self.nextLook else { return self.lookForEnded() }
    self.lookTimer = self.scheduler.schedule(at: self.nextLook) { [unowned self] in
      self.lookTimer = nil
      self.lookForEnded()
    }
  }

  private func lookForEnded() {
    self.sets.invalidate()
    var more = false
    for event in self.reaper.collect() {
      switch event {
      case .leaderEnded(let pid, let status):
        guard let worker = self.leaders[pid] else { continue }
        worker.leaderRuns = false
        self.leaderless.insert(worker.index)
        self.leaderEnded(worker, status)
      case .orphanReaped(let pid, _): self.sets.reaped(pid)
      case .noChildrenLeft: self.noChildren = true
      case .moreToCollect: more = true
      case .unreadable: self.lookAgainSoon()
      }
    }
    if more {
      // Signals and timers first; with zombies left, a look would be long and find nobody gone.
      if self.lookTimer == nil {
        self.lookTimer = self.scheduler.schedule(at: self.scheduler.now.advanced(by: .milliseconds(1))) {
          [unowned self] in
          self.lookTimer = nil
          self.lookForEnded()
        }
      }
      return self.drain()
    }
    for index in self.leaderless.union(self.unseen).sorted() { self.look(at: self.workers[index]) }
    self.drain()
    self.sweep?.membersChanged()
    self.nextLook = self.scheduler.now.advanced(by: self.sets.rest)
  }

  /// From now on children are somebody else's to wait for.
  func stopLooking() {
    if let timer = self.lookTimer { self.scheduler.cancel(timer) }
    self.lookTimer = nil
  }

  /// A worker's process says it is ready (sd_notify).
  package func notifiedReady(worker name: String, by sender: ProcessIdentifier) {
    guard let worker = self.workersByName[name] else { return }
    self.sets.invalidate()
    do throws(ProcessError) {
      for currency in [ProcessSets.Currency.recent, .exact] {
        let members = try self.members(of: worker, currency)
        guard members.contains(where: { $0.processIdentifier == sender }) else { continue }
        self.post(worker, .becameReady)
        return self.drain()
      }
    } catch {
      // It says so once, so it must not get lost.
      _ = self.scheduler.schedule(at: self.scheduler.now.advanced(by: Master.lookAgainAfter)) {
        [unowned self, unowned worker] in
        if worker.life.state == .starting { self.notifiedReady(worker: name, by: sender) }
      }
    }
  }

  // MARK: Who is there

  func members(
    of worker: WorkerRecord, _ currency: ProcessSets.Currency
  ) throws(ProcessError) -> [ProcessStatus] {
    try self.sets.members(
      of: worker.index, leader: worker.leader?.processIdentifier, leaderRuns: worker.leaderRuns,
      currency: currency)
  }

  /// Its processes, to signal them; nil if they cannot be seen now.
  func membersInReach(of worker: WorkerRecord) -> [ProcessStatus]? {
    var failure: ProcessError?
    // What passes at once must not make a stop harder.
    for _ in 0..<3 {
      do throws(ProcessError) {
        return try self.members(of: worker, .recent)
      } catch {
        failure = error
      }
    }
    if let failure { self.note(worker, "cannot see its processes: \(failure)", isTrouble: true) }
    return nil
  }

  /// A worker whose leader still runs is not empty, without looking, unless that is a guard that may
  /// be alone; nor is one that cannot be looked at. If that lasts, somebody is taken to be left.
  func look(at worker: WorkerRecord) {
    guard !worker.leaderRuns || worker.guardian?.hasEnded == true else { return }
    do throws(ProcessError) {
      let isEmpty = try self.members(of: worker, .exact).isEmpty
      worker.blindLooks = 0
      self.unseen.remove(worker.index)
      // That nobody is left below a guard is told by its own end.
      if isEmpty, worker.leaderRuns { return self.expectEnd(ofGuardOf: worker) }
      if !isEmpty { self.refreshClients(before: worker) }
      self.post(worker, isEmpty ? .emptied : .membersChanged)
    } catch {
      if worker.blindLooks == 0 { self.note(worker, "cannot see who is left: \(error)", isTrouble: true) }
      worker.blindLooks += 1
      if worker.blindLooks > Master.blindLooksToBelieve { self.post(worker, .membersChanged) }
      self.unseen.insert(worker.index)
      self.lookAgainSoon()
    }
  }

  static let lookAgainAfter = Duration.milliseconds(20)
  private static let blindLooksToBelieve = 25

  func lookAgainSoon() {
    guard !self.looksAgain, self.phase != .ended else { return }
    self.looksAgain = true
    _ = self.scheduler.schedule(at: self.scheduler.now.advanced(by: Master.lookAgainAfter)) {
      [unowned self] in
      self.looksAgain = false
      if self.phase != .cleaning, self.phase != .ended { self.childrenChanged() }
    }
  }
}
