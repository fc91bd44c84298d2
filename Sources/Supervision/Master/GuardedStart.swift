internal import ProcCtl

/// What a master knows of one start of a worker under a guard.
final class GuardedStart {
  let workerGuard: any WorkerGuard
  /// The kernel ends everybody with the guard.
  let endsWithGuard: Bool
  /// The worker's own program, as the guard sees it; nil until it has told, and where its numbers
  /// are not ours.
  var program: ProcessIdentity?
  /// Why the program could not be started; nil if it was.
  var failure: String?
  /// The program has ended, by the guard's word.
  var hasEnded = false
  /// Nobody is left below the guard, so its own end is due.
  var isExpectedToEnd = false
  /// It has said that the program runs.
  var hasStarted = false

  init(_ workerGuard: any WorkerGuard, endsWithGuard: Bool) {
    self.workerGuard = workerGuard
    self.endsWithGuard = endsWithGuard
  }

  func close() { self.workerGuard.close() }
}
