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
  /// Nil while it runs.
  var exit: TerminationStatus?
  var isReaped = false
  var port: UInt16?
  /// In the order they were born.
  var children: [SimulatedProcess] = []
  /// Its place in the master's list of children.
  var place: Int?
  var isDying = false
  var isStopped = false
  /// What it would do had it been continued.
  var pending: [() -> Void] = []

  init(
    identity: ProcessIdentity, parent: ProcessIdentifier, group: ProcessIdentifier,
    session: ProcessIdentifier, cookie: ByteString?, owner: Int, behaviour: Behaviour
  ) {
    self.identity = identity
    self.parent = parent
    self.group = group
    self.session = session
    self.cookie = cookie
    self.owner = owner
    self.behaviour = behaviour
  }

  var pid: ProcessIdentifier { self.identity.processIdentifier }

  var status: ProcessStatus {
    ProcessStatus(
      identity: self.identity, name: Self.name,
      state: self.exit != nil ? .zombie : self.isStopped ? .stopped : .sleeping, parent: self.parent,
      processGroup: self.group, session: self.session)
  }

  private static let name: ByteString = "simulated"
}
