internal import ProcCtl

/// Whether workers can have their ports, and what of ours is in the way.
extension Master {
  /// Finds out, ends who is ours, and posts the answer: nil if the worker can have its port, else who
  /// keeps it from it.
  ///
  /// - Parameter isOver: After the worker's end, not before a start.
  func clearPort(of worker: WorkerRecord, isOver: Bool) {
    worker.portStop?.cancel()
    worker.portStop = nil
    // After an end each look is within the time the port has; before a start each is one of its own.
    if worker.portClearing == nil || !isOver {
      worker.portLimit = self.scheduler.now.advanced(by: self.timeouts.ports)
    }
    let moment: PortClearing.Moment = isOver ? .afterEnd : .beforeStart
    var clearing = worker.portClearing ?? PortClearing(moment, forcesForeign: self.endsForeignHolders)
    clearing.moment = moment
    worker.portClearing = clearing
    self.continueClearing(worker, isOver: isOver, mayEnd: true)
  }

  /// - Parameter mayEnd: Whether there is time to end anybody: whoever is ended may be started again by
  ///   somebody else, for ever.
  private func continueClearing(_ worker: WorkerRecord, isOver: Bool, mayEnd: Bool) {
    guard let port = worker.definition.port, var clearing = worker.portClearing else {
      return self.answer(worker, isOver: isOver, nil)
    }
    let verdict = self.network.verdict(onPort: port)
    var candidates = self.candidates(verdict.holders, for: worker)
    if candidates.contains(where: { $0.process != nil }) {
      // Between the look at the socket and the one at its process the number may have been dealt out again.
      let still = Set(self.network.verdict(onPort: port).holders.compactMap(\.pid))
      for index in candidates.indices where candidates[index].holder.pid.map(still.contains) != true {
        candidates[index].process = nil
        candidates[index].standing = .unknown
      }
    }
    let step = clearing.step(verdict, candidates)
    worker.portClearing = clearing
    switch step {
    case .free: self.answer(worker, isOver: isOver, nil)
    case .leave(let why): self.answer(worker, isOver: isOver, why)
    case .end(_, let who, _) where !mayEnd: self.answer(worker, isOver: isOver, who)
    case .end(let processes, let who, let areOurs):
      self.note(
        worker, "ending who has port \(port)\(areOurs ? "" : ", as force-foreign says"): \(who)",
        isTrouble: true)
      worker.portStop = self.network.end(processes) { [unowned self, unowned worker] end in
        worker.portStop = nil
        if isOver, areOurs { self.count(end, onPort: port, of: worker) }
        self.observer?.happened(
          .leftoverFound(
            worker: worker.definition.name, what: "port \(port) held by \(who)",
            isCleaned: end.survivors.isEmpty))
        for survivor in end.survivors { self.note(worker, "\(survivor) survived", isTrouble: true) }
        let mayEnd = worker.portLimit.map { self.scheduler.now < $0 } ?? false
        self.continueClearing(worker, isOver: isOver, mayEnd: mayEnd)
        self.drain()
      }
    }
  }

  /// What one of ours took to let go of a port is part of how the stop went.
  private func count(_ end: HolderEnd, onPort port: UInt16, of worker: WorkerRecord) {
    guard self.phase != .running, let signal = end.lastSignal else { return }
    let who = "what had port \(port) of \(worker.definition.name)"
    if signal == .kill { self.outcome.killed.append(who) } else { self.outcome.signalled.append(who) }
  }

  private func answer(_ worker: WorkerRecord, isOver: Bool, _ holder: String?) {
    // With the next end, or the next start, there are others.
    if holder == nil { worker.portClearing = nil }
    guard isOver else {
      if let port = worker.definition.port, let holder {
        self.observer?.happened(.portBlocked(worker: worker.definition.name, port: port, holder: holder))
      }
      return self.post(worker, .portChecked(holder: holder))
    }
    if let port = worker.definition.port {
      self.observer?.happened(
        .portVerified(worker: worker.definition.name, port: port, holder: holder))
    }
    self.post(worker, .portVerified(holder: holder))
  }

  /// Who has the worker's port now, as text; nil if it is free. Ends nobody.
  func holder(ofPortOf worker: WorkerRecord) -> String? {
    guard let port = worker.definition.port else { return nil }
    let verdict = self.network.verdict(onPort: port)
    // What cannot be ended any more is only to be named.
    var clearing = worker.portClearing ?? PortClearing(.afterEnd, forcesForeign: false)
    switch clearing.step(verdict, self.candidates(verdict.holders, for: worker)) {
    case .free: return nil
    case .leave(let why): return why
    case .end(_, let who, _): return who
    }
  }

  private func candidates(_ holders: [PortHolder], for worker: WorkerRecord) -> [PortClearing.Candidate] {
    guard holders.contains(where: { $0.pid != nil }) else {
      return holders.map { PortClearing.Candidate(holder: $0, process: nil, standing: .unknown) }
    }
    // Where nobody can say who is ours, nobody is ended.
    let kin = try? Kin(of: self)
    return holders.map { holder in
      guard let pid = holder.pid, let status = try? self.kernel.status(of: pid), let kin else {
        return PortClearing.Candidate(holder: holder, process: nil, standing: .unknown)
      }
      return PortClearing.Candidate(
        holder: holder, process: status.identity, standing: kin.standing(of: status, self.kernel))
    }
  }

  /// Who belongs to this master, at one moment.
  private struct Kin {
    private let exempt: Set<ProcessIdentity>
    private let descendants: Set<ProcessIdentity>
    private var members: [ProcessIdentity: String] = [:]
    private let cookies: Set<ByteString>

    init(of master: Master) throws(ProcessError) {
      self.exempt = try master.kernel.ancestry()
      self.descendants = Set(
        try master.kernel.descendants(of: master.kernel.selfIdentifier).map(\.identity))
      for worker in master.workers {
        guard let leader = worker.leader else { continue }
        self.members[leader] = worker.definition.name
        for member in try master.members(of: worker, .recent) {
          self.members[member.identity] = worker.definition.name
        }
      }
      self.cookies = Set(master.workers.map(\.cookie))
    }

    func standing(of process: ProcessStatus, _ kernel: any Kernel) -> PortClearing.Standing {
      let identity = process.identity
      if let worker = self.members[identity] { return .member(of: worker) }
      if self.descendants.contains(identity) { return .stray }
      // Threads of the kernel (kthreadd is process 2) are nobody's to end either.
      if self.exempt.contains(identity) || identity.processIdentifier.value <= 2 || process.parent.value == 2
      {
        return .exempt
      }
      let cookie = (try? kernel.cookie(of: identity.processIdentifier)) ?? nil
      return cookie.map(self.cookies.contains) == true ? .stray : .foreign
    }
  }
}
