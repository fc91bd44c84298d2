package import ProcCtl

/// Something a master did or found out, for whoever keeps an account of it: the record of the
/// shutdown, a terminal, the health endpoint.
///
/// What changes a worker's state comes through ``MasterObserver/workerChanged(_:_:_:pid:)``.
package enum MasterEvent: Sendable {
  /// The order of the end went on to another phase.
  case phaseBegan(ShutdownOrder.Phase)
  /// Somebody commanded it, and it was taken.
  case commanded(worker: String, WorkerCommand)
  /// Below a worker's guard its program runs.
  case programStarted(worker: String, ProcessIdentifier)
  /// Its program could not be started.
  case startFailed(worker: String, reason: String)
  /// Before a start, somebody else has its port.
  case portBlocked(worker: String, port: UInt16, holder: String)
  /// Its leader has ended; the signal is what its processes were last sent by us.
  case leaderEnded(worker: String, TerminationStatus, lastSent: Signal?)
  /// It will be started again, or tried again, after this time.
  case willTryAgain(worker: String, after: Duration)
  /// A worker was asked to stop in words.
  case requested(worker: String, StopRequest)
  /// What came of that: nil if it agreed, else why not.
  case answered(worker: String, refusal: String?)
  /// A signal was sent to so many of a worker's processes.
  case signalled(worker: String, Signal, processes: Int)
  /// How many connections are established on a worker's port, while it is being stopped.
  case clientsChanged(worker: String, connected: Int)
  /// So many connections had to be ended by force.
  case clientsForced(worker: String, Int)
  /// A worker's port was proven free, or this holds it.
  case portVerified(worker: String, port: UInt16, holder: String?)
  /// Something a worker left behind, and whether it is gone now.
  case leftoverFound(worker: String?, what: String, isCleaned: Bool)
  case cleanupBegan(String)
  /// Nil if it succeeded, else why not.
  case cleanupEnded(String, failure: String?)
}
