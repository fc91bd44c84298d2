package import ProcCtl

/// What workers have that is no process and no port: directories, objects of their user, Unix sockets.
package protocol WorkerResources: AnyObject {
  /// The worker is about to be ended: which sockets its processes have is known only as long as they live.
  func stopping(_ definition: WorkerDefinition, members: [ProcessIdentifier])

  /// Nobody of the worker is left: removes what it has left, and says what that was.
  ///
  /// - Parameter others: Who runs now.
  func ended(_ definition: WorkerDefinition, others: [WorkerDefinition]) -> [WorkerLeftover]

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
