internal import ProcCtl

/// The clients of a worker that is being stopped: what ``ClientDrain`` decides, in its life.
extension WorkerLife {
  package var watchesClients: Bool {
    self.state == .stopping && self.definition.port != nil && self.drain?.isOver == false
  }

  package var clients: Int { self.drain?.connected ?? 0 }

  /// From the ask on.
  mutating func beginDrain(at now: MonotonicInstant) {
    let saysItself = self.definition.stop.contains { if case .request = $0 { true } else { false } }
    guard self.definition.port != nil || saysItself else { return }
    self.drain = ClientDrain(
      began: now, patience: self.clientTimeout, hasTable: self.definition.port != nil)
  }

  mutating func respond(toClients event: Event, at now: MonotonicInstant) -> [Effect] {
    guard self.state == .stopping, var drain = self.drain else { return [] }
    let actions: [ClientDrain.Action]
    switch event {
    case .clientsSeen(let count): actions = drain.seen(count, at: now)
    case .requestAnswered(let report): actions = drain.reported(report, at: now)
    case .clientsDisconnected(let ended, let left, let isPossible):
      actions = drain.disconnected(ended, left: left, isPossible: isPossible, at: now)
    default: actions = []
    }
    self.drain = drain
    return self.effects(of: actions, at: now)
  }

  /// Before the signal goes out.
  mutating func drainSignalled(isForce: Bool, isKill: Bool) -> [Effect] {
    guard isForce, var drain = self.drain else { return [] }
    let actions = drain.signalled(isKill: isKill)
    self.drain = drain
    return actions.compactMap { action in
      guard case .forced(let count) = action else { return nil }
      self.clientsForced += count
      return .clientsForced(count)
    }
  }

  private mutating func effects(of actions: [ClientDrain.Action], at now: MonotonicInstant) -> [Effect] {
    var effects: [Effect] = []
    for action in actions {
      switch action {
      case .changed(let count): effects.append(.clientsChanged(count))
      case .disconnect: effects.append(.disconnectClients)
      case .forced(let count):
        self.clientsForced += count
        effects.append(.clientsForced(count))
      case .pushOn: effects += self.stopStep { $0.hurry(at: now) }
      }
    }
    return effects
  }

  /// After every event: the drain ends with the stop, follows its steps, and says when to look.
  mutating func followDrain(after event: Event, at now: MonotonicInstant) -> [Effect] {
    var effects: [Effect] = []
    if self.state != .stopping, let drain = self.drain {
      if drain.connected > 0 { effects.append(.clientsChanged(0)) }
      self.drain = nil
    }
    if let kill = self.killInstant { self.drain?.killIsDue(at: kill, now: now) }
    switch event {
    case .leaderEnded, .membersChanged: self.drain?.lookSoon(at: now)
    default: break
    }
    let next = self.drain?.nextLook
    if next != self.plannedLook {
      self.plannedLook = next
      effects.append(.lookAtClients(next))
    }
    return effects
  }
}
