internal import ProcCtl

/// One worker as the master holds it: its life, and what of the outside world
/// is under way for it.
final class WorkerRecord {
  let index: Int
  let definition: WorkerDefinition
  var life: any WorkerPolicy
  /// The child we started: the worker's own program, or the guard around it.
  var leader: ProcessIdentity?
  var leaderRuns = false
  var guardian: GuardedStart?
  /// What its processes were last sent, so that a repeated KILL is said once.
  var lastSignal: Signal?
  /// Whether it was asked in words to stop, since it was started last.
  var isAsked = false
  /// When it came into its present state; nil for before anything happened.
  var since: MonotonicInstant?
  /// The environment's mark on everything this worker starts.
  let cookie: ByteString
  /// Whose group a signal goes to where nobody can be seen. Unreaped, a process has its group's number for
  /// itself; a guard keeps its program unreaped, and goes last, or what it watches would escape it.
  var groupInReach: ProcessIdentifier? {
    if self.leaderRuns, let guardian = self.guardian, let program = guardian.program {
      // Once it has ended, its guard may be gone already, and its number given back.
      return guardian.hasEnded ? nil : program.processIdentifier
    }
    return self.leader?.processIdentifier
  }
  /// How often in a row nobody could say whether some of its processes are left.
  var blindLooks = 0
  /// It was said that it has clients; how they become fewer is not worth a line each time.
  var hasNotedClients = false
  var timer: TimerIdentifier?
  var readiness: (any ReadinessSearch)?
  var request: (any Cancellable)?
  /// What has been tried about who has its port since its last end.
  var portClearing: PortClearing?
  var portStop: (any HolderStop)?
  /// When nobody else is ended for its port any more.
  var portLimit: MonotonicInstant?

  init(index: Int, definition: WorkerDefinition, life: any WorkerPolicy, cookie: ByteString) {
    self.index = index
    self.definition = definition
    self.life = life
    self.cookie = cookie
  }

  /// The worker's own first process: below its guard, if it has one and that has told.
  var program: ProcessIdentity? { self.guardian?.program ?? self.leader }
}
