package import ProcCtl

/// What workers have that is no process and no port: directories, objects of their user, Unix sockets.
package protocol WorkerResources: AnyObject {
  /// The worker is about to be ended: which sockets its processes have is known only as long as they live.
  func stopping(_ definition: WorkerDefinition, members: [ProcessIdentifier])

  /// The bound Unix sockets there are now. Costs a line for each of them, whoever's it is.
  func boundSockets() -> UnixSockets

  /// Nobody of the worker is left: removes what it has left, and says what that was.
  ///
  /// - Parameters:
  ///   - others: Who runs now.
  ///   - bound: Looked at after the last of the worker had ended: until then they are its own.
  func ended(
    _ definition: WorkerDefinition, others: [WorkerDefinition], bound: UnixSockets
  ) -> [WorkerLeftover]

  /// Brings to its end what is still being removed; blocks for a few seconds at most. Returns what is left.
  func finish() -> [WorkerLeftover]
}

/// Something a worker left.
package struct WorkerLeftover: Sendable, Hashable {
  package var worker: String
  package var what: String
  /// Why it is still there; nil if it is gone.
  package var failure: String?

  package init(worker: String, what: String, failure: String?) {
    self.worker = worker
    self.what = what
    self.failure = failure
  }

  package var description: String {
    self.failure.map { "\(self.worker) left \(self.what), which is still there: \($0)" }
      ?? "\(self.worker) left \(self.what): removed"
  }
}

extension WorkerDefinition {
  /// Whether anything is to be done about its resources.
  package var hasResources: Bool {
    self.hasRuntimeDirectory || self.hasTemporaryDirectory || self.removesIPC
  }
}
