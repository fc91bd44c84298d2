internal import ProcCtl

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
  /// It belongs to another user: every signal is EPERM.
  var refusesSignals = false
  /// Somebody stops it then (SIGSTOP); it sees no signal but KILL until it is continued.
  var isStoppedAfter: Duration?
  /// It forks a child every so often, so many times.
  var forks: (every: Duration, times: Int)?
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

  /// Who connects to it while it listens.
  var clients: [ClientPlan] = []
  /// Asked to end, it waits until nobody is connected.
  var waitsForClients = false

  enum RequestAnswer {
    case agrees(thenEndsAfter: Duration)
    case refuses
  }

  /// Nothing that can be done ends it.
  var isUnkillable: Bool { self.diesOfKillAfter == nil || self.refusesSignals }

  struct Child {
    var behaviour: Behaviour
    var ownSession: Bool
    var orphaned: Bool
    /// It wiped what would tell whose it is.
    var hidesCookie: Bool
  }
}
