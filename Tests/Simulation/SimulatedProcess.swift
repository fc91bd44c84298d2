internal import ProcCtl

/// A process as the simulated kernel holds it.
final class SimulatedProcess {
  let identity: ProcessIdentity
  var parent: ProcessIdentifier
  let group: ProcessIdentifier
  let session: ProcessIdentifier
  let cookie: ByteString?
  /// The worker it really belongs to, whatever can be found out about it.
  let owner: Int
  let behaviour: Behaviour
  /// Whose care it was born into, even if that is gone; nil for a guard itself.
  let guardian: SimulatedGuard?
  /// Not nil if it is a guard.
  var guards: SimulatedGuard?
  /// Nil while it runs.
  var exit: TerminationStatus?
  var isReaped = false
  var port: UInt16?
  /// In the order they were born.
  var children: [SimulatedProcess] = []
  /// Its place in the master's list of children.
  var place: Int?
  var isDying = false
  /// It was asked to end and waits for its clients.
  var endsWhenAlone: TerminationStatus?
  var isStopped = false
  /// What it would do had it been continued.
  var pending: [() -> Void] = []

  init(
    identity: ProcessIdentity, parent: ProcessIdentifier, group: ProcessIdentifier,
    session: ProcessIdentifier, cookie: ByteString?, owner: Int, behaviour: Behaviour,
    guardian: SimulatedGuard? = nil
  ) {
    self.identity = identity
    self.parent = parent
    self.group = group
    self.session = session
    self.cookie = cookie
    self.owner = owner
    self.behaviour = behaviour
    self.guardian = guardian
  }

  var pid: ProcessIdentifier { self.identity.processIdentifier }

  /// The guard that its children come to when it ends; nil for the master.
  var adopter: SimulatedProcess? {
    self.guardian.flatMap { $0.process }.flatMap { $0.exit == nil ? $0 : nil }
  }

  /// Nothing the master can do ends it.
  var isUnkillable: Bool {
    if self.behaviour.diesOfKillAfter == nil { return true }
    // Of a guard's processes it goes last: it is left with those that cannot be ended.
    if self.guards != nil { return self.children.contains { $0.exit == nil && $0.isUnkillableBelowGuard } }
    // Nobody is asked when the kernel ends a pid namespace.
    let isInNamespace = self.guardian?.plan.kind == .pidNamespace && self.guardian?.isRunning == true
    return self.behaviour.refusesSignals && !isInNamespace
  }

  private var isUnkillableBelowGuard: Bool {
    self.isUnkillable || self.children.contains { $0.exit == nil && $0.isUnkillableBelowGuard }
  }

  var status: ProcessStatus {
    ProcessStatus(
      identity: self.identity, name: Self.name,
      state: self.exit != nil ? .zombie : self.isStopped ? .stopped : .sleeping, parent: self.parent,
      processGroup: self.group, session: self.session)
  }

  private static let name: ByteString = "simulated"
}
