internal import ProcCtl

/// The guard of one start of a worker, as the master sees it: a child that has the
/// worker's processes below it and tells how its command fares.
package protocol WorkerGuard: AnyObject {
  /// Called on the scheduler's thread for every event.
  var whenTold: ((GuardEvent) -> Void)? { get set }

  /// Reads what has come and is not read yet.
  func drain()

  /// Lets go of it: a guard that still runs takes this for the master's death.
  func close()
}
