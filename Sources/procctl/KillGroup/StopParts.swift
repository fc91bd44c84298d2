internal import ProcCtl
internal import Supervision

/// What kill-group's targets and ports come to: whom to follow, and how far.
struct StopParts {
  private let kernel: any Kernel
  private let scope: StopScope
  private let workers: [KnownWorker]
  private var chosen: [KnownWorker] = []
  private(set) var parts: [ForeignStop.Part] = []
  /// Those that end what is below them when asked to stop.
  private(set) var supervisors: Set<ProcessIdentity> = []

  init(scope: StopScope, workers: [KnownWorker], kernel: any Kernel) {
    self.kernel = kernel
    self.scope = scope
    self.workers = workers
  }

  /// The first process of a worker stands for the worker, and any other for itself.
  mutating func add(process: ProcessStatus) throws(ProcessError) {
    if self.scope == .tree {
      for worker in self.workers where try worker.leader(kernel: self.kernel)?.identity == process.identity {
        return try self.add(worker: worker)
      }
    }
    self.parts.append(ForeignStop.Part(StopSelection(target: process, scope: self.scope)))
  }

  /// Who has a port stands for the worker it belongs to, if there is one.
  mutating func add(holder: ProcessStatus) throws(ProcessError) {
    if self.scope == .tree {
      for worker in self.workers where worker.hasStarted || !worker.masterLives {
        if try worker.includes(holder, kernel: self.kernel) { return try self.add(worker: worker) }
      }
    }
    try self.add(process: holder)
  }

  /// Its own stop takes its grace; its command is below it, so that the scope is the tree.
  mutating func add(supervisor: ProcessStatus) {
    self.supervisors.insert(supervisor.identity)
    self.parts.append(
      ForeignStop.Part(StopSelection(roots: [.init(target: supervisor, isSupervised: true)])))
  }

  mutating func add(worker: KnownWorker) throws(ProcessError) {
    if self.scope != .tree, let leader = try worker.leader(kernel: self.kernel) {
      return try self.add(process: leader)
    }
    guard !self.chosen.contains(where: { $0 == worker }) else { return }
    self.chosen.append(worker)
    if let supervisor = try worker.supervisor(kernel: self.kernel) { self.supervisors.insert(supervisor) }
    self.parts.append(try worker.part(kernel: self.kernel))
  }
}
