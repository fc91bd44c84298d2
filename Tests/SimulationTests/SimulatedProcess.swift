import ProcCtl

/// What a simulated program does when things happen to it.
struct Behaviour {
  enum Answer {
    /// Ends with this status after the time.
    case ends(after: Duration, TerminationStatus)
    case ignores
  }

  var onTerminate = Answer.ends(after: .milliseconds(1), .signaled(.terminate, coreDumped: false))
  var onInterrupt = Answer.ends(after: .milliseconds(1), .signaled(.interrupt, coreDumped: false))
  /// How long it takes to die of KILL; nil: stuck in the kernel and never does.
  var diesOfKillAfter: Duration? = .microseconds(200)
  /// It leaves a new process behind at the moment it dies of KILL.
  var forksWhileDying = false
  /// What it starts when it starts: with a session of its own or not, below itself or orphaned at once.
  var children: [Child] = []
  /// It ends by itself then.
  var ends: (after: Duration, TerminationStatus)?
  /// It listens on its worker's port from then on; nil: never.
  var listensAfter: Duration?
  /// How it answers a request to stop; nil: not at all.
  var onRequest: RequestAnswer?

  enum RequestAnswer {
    case agrees(thenEndsAfter: Duration)
    case refuses
  }

  struct Child {
    var behaviour: Behaviour
    var ownSession: Bool
    var orphaned: Bool
    /// It wiped what would tell whose it is.
    var hidesCookie: Bool
  }
}

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
  var port: UInt16?
  var children: Set<ProcessIdentifier> = []
  var isDying = false

  init(
    identity: ProcessIdentity, parent: ProcessIdentifier, group: ProcessIdentifier,
    session: ProcessIdentifier,
    cookie: ByteString?, owner: Int, behaviour: Behaviour
  ) {
    self.identity = identity
    self.parent = parent
    self.group = group
    self.session = session
    self.cookie = cookie
    self.owner = owner
    self.behaviour = behaviour
  }

  var status: ProcessStatus {
    ProcessStatus(
      identity: self.identity, name: "simulated", state: self.exit == nil ? .sleeping : .zombie,
      parent: self.parent, processGroup: self.group, session: self.session)
  }
}
