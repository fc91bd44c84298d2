internal import ProcCtl
internal import SystemPackage

/// What a signal does to simulated processes.
extension SimulatedKernel {
  func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery {
    // A child's number is its own until we reap it, so the kernel is not asked whose it is.
    let isUnchecked = process.parent == self.selfIdentifier
    guard let target = self.processes[process.processIdentifier] else {
      if isUnchecked {
        self.whenViolated(.noSignalAfterReap, nil, "sent \(signal) to \(process.identity) after its reap")
      }
      return .gone
    }
    guard target.identity == process.identity else {
      if isUnchecked {
        self.whenViolated(
          .noSignalAfterReap, target.owner,
          "sent \(signal) to \(target.identity), which has the number of \(process.identity)")
      }
      return .gone
    }
    guard target.exit == nil else { return .sent }
    self.note(target.owner, "\(signal) to \(target.identity)")
    self.whenSignalled(signal, target)
    if target.behaviour.refusesSignals {
      throw ProcessError(
        .signal, doing: "send \(signal)", underlyingError: .notPermitted,
        processIdentifier: process.processIdentifier)
    }
    self.deliver(signal, to: target)
    return .sent
  }

  func send(_ signal: Signal, toGroupOf child: ProcessIdentifier) throws(ProcessError) -> SignalDelivery {
    if self.processes[child] == nil {
      self.whenViolated(.noSignalAfterReap, nil, "sent \(signal) to the group of \(child) after its reap")
    }
    for process in self.everybody where process.group == child {
      _ = try self.send(signal, to: process.status)
    }
    return .sent
  }

  private func deliver(_ signal: Signal, to process: SimulatedProcess) {
    switch signal {
    case .kill: self.kill(process)
    case .continue:
      process.isStopped = false
      self.unseen.removeAll { $0 === process }
      let pending = process.pending
      process.pending = []
      for action in pending { action() }
    case .terminate, .interrupt:
      let answer = signal == .terminate ? process.behaviour.onTerminate : process.behaviour.onInterrupt
      if process.isStopped { self.unseen.append(process) }
      self.act(process) { $0.answer(answer, of: process) }
    default: break
    }
  }

  /// Whoever sends it: it is nothing the rules look at.
  func kill(_ process: SimulatedProcess) {
    guard !process.isDying, let after = process.behaviour.diesOfKillAfter else { return }
    process.isDying = true
    process.guards?.willDie()
    if process.behaviour.forksWhileDying {
      var heir = process.behaviour
      heir.forksWhileDying = false
      heir.children = []
      self.start(heir, owner: process.owner, parent: process, leader: process, cookie: process.cookie)
    }
    self.time.after(after) { [unowned self] in
      if let guardian = process.guards { return guardian.die() }
      self.end(process, .signaled(.kill, coreDumped: false))
    }
  }

  /// The kernel ends it with its pid namespace.
  func killByForce(_ process: SimulatedProcess) {
    guard let after = process.behaviour.diesOfKillAfter else { return }
    process.isDying = true
    self.time.after(after) { [unowned self] in self.end(process, .signaled(.kill, coreDumped: false)) }
  }

  private func answer(_ answer: Behaviour.Answer, of process: SimulatedProcess) {
    guard case .ends(let after, let status) = answer else { return }
    self.later(after, process) { $0.clients.endOrWait(process, status) }
  }

  /// Forgets who has not seen a signal, once that was complained about.
  func forgetUnseen() { self.unseen = [] }
}
