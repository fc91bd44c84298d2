internal import ProcCtl

/// How a master asks its workers to end, in words and by signals.
extension Master {
  func send(_ request: StopRequest, to worker: WorkerRecord) {
    guard let port = worker.definition.port else { return self.post(worker, .requestFailed("no port")) }
    worker.isAsked = true
    self.note(worker, "asked by \(request.method) \(request.path)")
    self.observer?.happened(.requested(worker: worker.definition.name, request))
    let members = (self.membersInReach(of: worker) ?? []).map(\.processIdentifier)
    worker.request = self.network.send(request, toPort: port, members: members) {
      [unowned self, unowned worker] refusal in
      worker.request = nil
      self.observer?.happened(.answered(worker: worker.definition.name, refusal: refusal))
      if let refusal {
        self.note(worker, "\(request.method) \(request.path) failed: \(refusal)", isTrouble: true)
      }
      self.post(worker, refusal.map { .requestFailed($0) } ?? .requestAnswered)
      self.drain()
    }
  }

  func send(_ signal: Signal, to worker: WorkerRecord) {
    // After a kill everyone may have changed.
    if signal == .kill {
      self.sets.invalidate()
      do throws(ProcessError) {
        try self.sets.killCgroup(of: worker.index)
      } catch {
        self.note(worker, "\(error)", isTrouble: true)
      }
    }
    let seen = self.addressees(of: signal, in: worker)
    let members = seen ?? []
    if worker.lastSignal != signal, !members.isEmpty {
      self.observer?.happened(
        .signalled(worker: worker.definition.name, signal, processes: members.count))
      self.note(worker, "\(signal) to \(members.count) \(members.count == 1 ? "process" : "processes")")
    }
    worker.lastSignal = signal
    if seen == nil, let group = worker.groupInReach {
      _ = try? self.kernel.send(signal, toGroupOf: group)
    }
    for (process, error) in self.kernel.send(signal, toAll: members) {
      self.note(worker, "\(error): \(process.name.printable)", isTrouble: true)
    }
  }

  /// Kills whom it can, without a loop to wait with: there is no orderly way any more.
  func abandon() {
    for worker in self.workers where worker.leader != nil { try? self.sets.killCgroup(of: worker.index) }
    // What a guard watches would escape if it went first; when we are gone it ends them.
    let guards = Set(self.workers.filter { $0.guardian?.endsWithGuard == false }.compactMap(\.leader))
    if let everyone = try? self.kernel.descendants(of: self.kernel.selfIdentifier) {
      self.kernel.send(.kill, toAll: everyone.filter { !guards.contains($0.identity) })
    }
    for (leader, worker) in self.leaders where worker.guardian?.endsWithGuard != false {
      _ = try? self.kernel.send(.kill, toGroupOf: leader)
    }
  }
}
