internal import ProcCtl

/// One worker as the master holds it: its life, and what of the outside world
/// is under way for it.
final class WorkerRecord {
  let index: Int
  let definition: WorkerDefinition
  var life: WorkerLife
  var leader: ProcessIdentity?
  var leaderRuns = false
  /// What its processes were last sent, so that a repeated KILL is said once.
  var lastSignal: Signal?
  /// The environment's mark on everything this worker starts.
  let cookie: ByteString
  /// How often in a row nobody could say whether some of its processes are left.
  var blindLooks = 0
  var timer: TimerIdentifier?
  var readiness: (any Cancellable)?
  var request: (any Cancellable)?

  init(index: Int, definition: WorkerDefinition, life: WorkerLife, cookie: ByteString) {
    self.index = index
    self.definition = definition
    self.life = life
    self.cookie = cookie
  }
}
