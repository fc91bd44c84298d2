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
      guardian.hasStarted = true
      self.post(worker, .programStarted)
      // The first process of a pid namespace counts from 1; there we know the program only as its child.
      if !guardian.endsWithGuard {
        guardian.program = identity
        self.observer?.happened(
          .programStarted(worker: worker.definition.name, identity.processIdentifier))
      } else if let signal = worker.lastSignal {
        // Before it minds its signals, none but KILL and STOP reaches a first process (pid_namespaces(7)).
        self.send(signal, to: worker)
      }
    case .failed(let reason):
      guardian.failure = reason
    case .commandEnded(let status, let leftovers):
      guardian.hasEnded = true
      self.sets.invalidate()
      if leftovers == 0 { self.expectEnd(ofGuardOf: worker) }
      self.postEnd(worker, status)
    // The kernel tells the same by SIGCHLD, and more surely.
    case .ended: break
    }
  }

  /// The guard itself has ended, and with it whatever it would have told.
  func leaderEnded(_ worker: WorkerRecord, _ status: TerminationStatus) {
    guard let guardian = worker.guardian else { return self.postEnd(worker, status) }
    guardian.workerGuard.drain()
    // Of a guard that was killed we have inherited it, and nobody else can get its number before we reap it.
    if let program = guardian.program,
      let status = try? self.kernel.status(of: program.processIdentifier), status.identity == program
    {
      self.sets.add(worker: worker.index, program: program.processIdentifier)
    }
    if guardian.hasEnded { return }
    guardian.hasEnded = true
    if let failure = guardian.failure, !guardian.hasStarted, worker.life.state != .stopping {
      return self.spawnFailed(worker, failure)
    }
    // Before it has started anything it may be asked itself.
    let wasAsked = worker.lastSignal != nil && !guardian.hasStarted
    if case .signaled(let signal, _) = status, worker.lastSignal != .kill, !wasAsked {
      self.note(worker, "its guard was ended by \(signal)", isTrouble: true)
    }
    self.postEnd(worker, status)
  }

  private func postEnd(_ worker: WorkerRecord, _ status: TerminationStatus) {
    self.observer?.happened(
      .leaderEnded(worker: worker.definition.name, status, lastSent: worker.lastSignal))
    self.post(worker, .leaderEnded(status))
  }

  func spawnFailed(_ worker: WorkerRecord, _ reason: String) {
    self.observer?.happened(.startFailed(worker: worker.definition.name, reason: reason))
    self.post(worker, .spawnFailed(reason))
  }

  /// Whom a signal to the worker goes to: everybody below the guard. The guard is no member, and by
  /// KILL it goes last, because what it watches would escape it otherwise; unless the kernel ends
  /// them with it. Nil if nobody can say who is there.
  func addressees(of signal: Signal, in worker: WorkerRecord) -> [ProcessStatus]? {
    guard let members = self.membersInReach(of: worker) else { return nil }
    guard worker.leaderRuns, let guardian = worker.guardian, let leader = worker.leader else {
      return members
    }
    // A signal that came before the program would be lost; the guard ends what it is about to start.
    let isAboutToStart = members.isEmpty && !guardian.hasStarted && !guardian.hasEnded
    guard isAboutToStart || signal == .kill && (guardian.endsWithGuard || members.isEmpty) else {
      return members
    }
    do throws(ProcessError) {
      return [try self.kernel.status(of: leader.processIdentifier)].compactMap(\.self) + members
    } catch {
      // Members without it would escape where it is the first of them, and KILL comes again.
      return members.isEmpty ? nil : members
    }
  }

  /// Nobody is left below the guard, so it is about to end. Called again it changes nothing.
  func expectEnd(ofGuardOf worker: WorkerRecord) {
    guard worker.guardian?.isExpectedToEnd == false else { return }
    worker.guardian?.isExpectedToEnd = true
    self.killGuard(of: worker, after: Master.guardsOwnEnd)
  }

  private func killGuard(of worker: WorkerRecord, after time: Duration) {
    guard let leader = worker.leader, let guardian = worker.guardian else { return }
    _ = self.scheduler.schedule(at: self.scheduler.now.advanced(by: time)) { [weak self, weak worker] in
      guard let self, let worker, worker.leader == leader, worker.leaderRuns else { return }
      do throws(ProcessError) {
        self.sets.invalidate()
        guard try self.members(of: worker, .exact).isEmpty else {
          guardian.isExpectedToEnd = false
          self.look(at: worker)
          return self.drain()
        }
        guard let status = try self.kernel.status(of: leader.processIdentifier) else { return }
        self.note(worker, "its guard does not end; killing it", isTrouble: true)
        self.kernel.send(.kill, toAll: [status])
      } catch {
        self.killGuard(of: worker, after: Master.lookAgainAfter)
      }
    }
  }
}
