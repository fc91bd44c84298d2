internal import ProcCtl

/// How a master asks its workers to end, in words and by signals.
extension Master {
  func send(_ request: StopRequest, to worker: WorkerRecord) {
    worker.isAsked = true
    self.note(worker, "asked by \(request)")
    self.observer?.happened(.requested(worker: worker.definition.name, request))
    let members = (self.membersInReach(of: worker) ?? []).map(\.processIdentifier)
    worker.request = self.network.send(request, toPort: worker.definition.port, members: members) {
      [unowned self, unowned worker] answer in
      worker.request = nil
      self.answered(answer, to: request, by: worker)
      self.drain()
    }
  }

  private func answered(_ answer: StopAnswer, to request: StopRequest, by worker: WorkerRecord) {
    let name = worker.definition.name
    // What follows a refusal is harder.
    self.refreshClients(before: worker)
    switch answer {
    case .agreed(let clients):
      self.observer?.happened(.answered(worker: name, refusal: nil))
      if let clients {
        let requests = clients.requests == 1 ? "1 request" : "\(clients.requests) requests"
        self.note(worker, "it stops, with \(Self.clients(clients.connected)) and \(requests)")
      }
      self.post(worker, .requestAnswered(clients))
    case .refused(let why):
      self.observer?.happened(.answered(worker: name, refusal: why))
      self.note(worker, "\(request) failed: \(why)", isTrouble: true)
      self.post(worker, .requestFailed(why))
    }
  }

  func send(_ signal: Signal, to worker: WorkerRecord) {
    if signal == .kill {
      self.kernel.urgently { self.deliver(signal, to: worker) }
    } else {
      self.deliver(signal, to: worker)
    }
  }

  private func deliver(_ signal: Signal, to worker: WorkerRecord) {
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
    if !members.isEmpty {
      self.observer?.happened(
        .signalled(worker: worker.definition.name, signal, processes: members.count))
    }
    if worker.lastSignal != signal, !members.isEmpty {
      self.note(worker, "\(signal) to \(members.count) \(members.count == 1 ? "process" : "processes")")
    }
    worker.lastSignal = signal
    // Nobody to be seen may be an old look that cannot be renewed. Its first process, unreaped, keeps the
    // group's number; a guard is not to be reached like that.
    if seen == nil || members.isEmpty && worker.guardian == nil, let group = worker.groupInReach {
      _ = try? self.kernel.send(signal, toGroupOf: group)
      if signal.needsContinue { _ = try? self.kernel.send(.continue, toGroupOf: group) }
    }
    for (process, error) in self.kernel.send(signal, toAll: members) {
      self.note(worker, "\(error): \(process.name.printable)", isTrouble: true)
    }
  }

  /// Kills whom it can, once, without a loop to wait with.
  func killEveryone() {
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
