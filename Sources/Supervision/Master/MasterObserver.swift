package import ProcCtl

/// Who wants to know how the master is doing: systemd, a person, a test.
/// Called on the scheduler's thread.
package protocol MasterObserver: AnyObject {
  /// - Parameter pid: The worker's leader, while it has one.
  func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?)
  /// A step was taken or a call failed, without a change of state.
  func workerNoted(_ name: String, _ note: String, isTrouble: Bool)
  /// Every worker is ready, for the first time.
  func allReady()
  /// A line for people, and the longest it may take until the next one or the end.
  func statusChanged(_ status: String, stopping: Bool)
  func stopBegan(_ reason: String, budget: Duration)
  /// A detail of what goes on, in the order things happen.
  func happened(_ event: MasterEvent)
  func ended(_ outcome: ShutdownOutcome)
}

extension MasterObserver {
  package func workerNoted(_ name: String, _ note: String, isTrouble: Bool) {}
  package func allReady() {}
  package func statusChanged(_ status: String, stopping: Bool) {}
  package func stopBegan(_ reason: String, budget: Duration) {}
  package func happened(_ event: MasterEvent) {}
  package func ended(_ outcome: ShutdownOutcome) {}
}
