internal import ProcCtl

/// What workers have besides processes and ports, told and cleaned by the master.
extension Master {
  func resourcesStopping(_ worker: WorkerRecord) {
    guard let resources = self.resources, worker.definition.hasResources, worker.leader != nil else { return }
    resources.stopping(
      worker.definition, members: (self.membersInReach(of: worker) ?? []).map(\.processIdentifier))
  }

  func resourcesEnded(_ worker: WorkerRecord) {
    guard let resources = self.resources, worker.definition.hasResources else { return }
    let others = self.workers.filter { $0 !== worker && $0.leader != nil }.map(\.definition)
    // A thousand that end together are one look.
    let bound = self.boundSockets ?? resources.boundSockets()
    self.boundSockets = bound
    self.tell(resources.ended(worker.definition, others: others, bound: bound))
  }

  /// What could not be removed counts as a cleanup that failed.
  func resourcesOver() {
    guard let resources = self.resources else { return }
    self.tell(resources.finish())
    self.outcome.failedCleanups += self.uncleaned
  }

  private func tell(_ leftovers: [WorkerLeftover]) {
    for leftover in leftovers {
      let isCleaned = leftover.failure == nil
      if let worker = self.workersByName[leftover.worker] {
        self.note(worker, leftover.description, isTrouble: !isCleaned)
      }
      self.observer?.happened(
        .leftoverFound(worker: leftover.worker, what: leftover.what, isCleaned: isCleaned))
      // Of a start long past it is no matter of this stop.
      if !isCleaned, self.phase != .running {
        self.uncleaned.append("of resources (\(leftover.description))")
      }
    }
  }
}
