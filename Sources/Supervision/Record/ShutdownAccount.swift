package import ProcCtl

/// Makes the record of a shutdown of what happens, told with its time. A value without clock or I/O;
/// before the stop begins it only remembers how each worker is.
package struct ShutdownAccount: Sendable {
  /// Nil until a stop begins; whole after ``ended(_:at:)``.
  package private(set) var record: ShutdownRecord?
  private let configuration: String
  private let master: Int32
  private var standing: [Standing]
  private var positions: [String: Int] = [:]
  private var began = MonotonicInstant(nanoseconds: 0)

  private struct Standing: Sendable {
    var name: String
    var port: UInt16?
    var state = WorkerState.waiting
    var pid: Int32?
  }

  /// - Parameter workers: By name, with their ports, in the order they are to be shown in.
  package init(configuration: String, master: Int32, workers: [(name: String, port: UInt16?)]) {
    self.configuration = configuration
    self.master = master
    self.standing = workers.map { Standing(name: $0.name, port: $0.port) }
    for (position, worker) in workers.enumerated() { self.positions[worker.name] = position }
  }

  // MARK: What happens

  package mutating func workerChanged(
    _ name: String, _ state: WorkerState, _ why: String, pid: Int32?, at now: MonotonicInstant
  ) {
    guard let position = self.positions[name] else { return }
    self.standing[position].state = state
    self.standing[position].pid = pid ?? self.standing[position].pid
    guard self.record != nil else { return }
    let at = self.offset(now)
    self.change(name) { lane in
      lane.pid = pid ?? lane.pid
      lane.states.append(.init(at: at, state: "\(state)", why: why.isEmpty ? nil : why))
      lane.duration = state.isFinal ? at : nil
    }
  }

  package mutating func stopBegan(_ reason: String, budget: Duration) {
    self.record?.reason = reason
    self.record?.budget = Microseconds(budget)
  }

  /// - Parameter wallClock: Since 1970.
  package mutating func happened(
    _ event: MasterEvent, at now: MonotonicInstant, wallClock: Microseconds
  ) {
    if case .phaseBegan(let phase) = event {
      if self.record == nil { self.begin(at: now, wallClock: wallClock) }
      return self.phaseBegan(phase, at: now)
    }
    guard self.record != nil else { return }
    let at = self.offset(now)
    switch event {
    case .phaseBegan: break
    case .requested(let worker, let request):
      self.change(worker) { $0.requests.append(.init(at: at, method: request.method, path: request.path)) }
    case .answered(let worker, let refusal):
      self.change(worker) { lane in
        guard let last = lane.requests.indices.last else { return }
        lane.requests[last].answered = at
        lane.requests[last].refusal = refusal
      }
    case .signalled(let worker, let signal, let processes):
      self.change(worker) { lane in
        if let last = lane.signals.indices.last, lane.signals[last].signal == signal.description {
          lane.signals[last].processes = max(lane.signals[last].processes, processes)
          lane.signals[last].times += 1
        } else {
          lane.signals.append(.init(at: at, signal: signal.description, processes: processes, times: 1))
        }
      }
    case .clientsChanged(let worker, let connected):
      self.change(worker) { $0.clients.append(.init(at: at, connected: connected)) }
    case .clientsForced(let worker, let count):
      self.change(worker) { $0.clientsForced += count }
    case .portVerified(let worker, _, let holder):
      self.change(worker) { lane in
        if let last = lane.portChecks.indices.last, lane.portChecks[last].holder == holder {
          lane.portChecks[last].looks += 1
        } else {
          lane.portChecks.append(.init(at: at, holder: holder, looks: 1))
        }
      }
    case .leaderEnded(let worker, let status, _):
      self.change(worker) { $0.leaderEnd = .init(status, at: at) }
    case .leftoverFound(let worker, let what, let isCleaned):
      self.record?.leftovers.append(.init(at: at, worker: worker, what: what, isCleaned: isCleaned))
    case .cleanupBegan(let name):
      self.record?.cleanups.append(.init(name: name, start: at))
    case .cleanupEnded(let name, let failure):
      self.cleanupEnded(name, failure, at: at)
    case .programStarted, .portBlocked, .startFailed, .willTryAgain, .commanded: break
    }
  }

  /// How the system was as the phase began; for the last phase of that name.
  package mutating func add(_ snapshot: SystemSnapshot, to phase: ShutdownOrder.Phase) {
    guard let index = self.record?.phases.lastIndex(where: { $0.name == "\(phase)" }) else { return }
    self.record?.phases[index].snapshot = snapshot
  }

  package mutating func ended(_ outcome: ShutdownOutcome, at now: MonotonicInstant) {
    guard self.record != nil else { return }
    self.endPhase(at: now)
    let total = self.offset(now)
    self.record?.duration = total
    self.record?.exitStatus = outcome.exitStatus
    self.record?.summary = outcome.summary
    self.record?.heldPorts = outcome.heldPorts
    self.record?.survivors = outcome.survivors
    self.record?.failedCleanups = outcome.failedCleanups
    self.record?.internalErrors = outcome.internalErrors
    for name in outcome.signalled { self.change(name) { $0.force = "signal" } }
    for name in outcome.killed { self.change(name) { $0.force = "kill" } }
    self.judgePhases(outcome)
  }

  // MARK: The record

  private mutating func begin(at now: MonotonicInstant, wallClock: Microseconds) {
    self.began = now
    var record = ShutdownRecord(
      configuration: self.configuration, master: self.master, began: wallClock)
    record.workers = self.standing.map { worker in
      .init(
        name: worker.name, port: worker.port, pid: worker.pid,
        states: [.init(at: Microseconds(0), state: "\(worker.state)")],
        duration: worker.state.isFinal ? Microseconds(0) : nil)
    }
    self.record = record
  }

  private func offset(_ now: MonotonicInstant) -> Microseconds { Microseconds(from: self.began, to: now) }

  private mutating func change(_ worker: String, _ body: (inout ShutdownRecord.Lane) -> Void) {
    guard let position = self.positions[worker] else { return }
    self.record?.change(position, body)
  }

  private mutating func cleanupEnded(_ name: String, _ failure: String?, at: Microseconds) {
    let open = self.record?.cleanups.lastIndex { $0.name == name && $0.duration == nil }
    guard let open, let start = self.record?.cleanups[open].start else { return }
    self.record?.cleanups[open].duration = Microseconds(at.count - start.count)
    self.record?.cleanups[open].failure = failure
  }

  // MARK: Phases

  private mutating func phaseBegan(_ phase: ShutdownOrder.Phase, at now: MonotonicInstant) {
    self.endPhase(at: now)
    guard phase != .ended else { return }
    let start = self.offset(now)
    self.record?.phases.append(
      .init(name: "\(phase)", start: start, duration: Microseconds(0), outcome: "", workersEnded: 0))
  }

  private mutating func endPhase(at now: MonotonicInstant) {
    guard let last = self.record?.phases.indices.last, let start = self.record?.phases[last].start,
      self.record?.phases[last].outcome == ""
    else { return }
    let end = self.offset(now)
    let (ended, all) = (self.standing.count { $0.state.isFinal }, self.standing.count)
    self.record?.phases[last].duration = Microseconds(end.count - start.count)
    self.record?.phases[last].workersEnded = ended
    self.record?.phases[last].outcome = "\(ended) of \(all) workers ended"
  }

  /// Some of it is known only at the end.
  private mutating func judgePhases(_ outcome: ShutdownOutcome) {
    guard let record = self.record else { return }
    for (index, phase) in record.phases.enumerated() {
      switch phase.name {
      case "\(ShutdownOrder.Phase.sweeping)":
        let (left, held) = (outcome.survivors.count, outcome.heldPorts.count)
        var text = left == 0 ? "nobody left" : "\(left) left"
        if held > 0 { text += ", \(held) \(held == 1 ? "port" : "ports") held" }
        self.record?.phases[index].outcome = text
      case "\(ShutdownOrder.Phase.cleaning)":
        let failed = outcome.failedCleanups.count
        let run = record.cleanups.count
        self.record?.phases[index].outcome =
          failed > 0 ? "\(failed) failed" : run == 0 ? "nothing to do" : "\(run) done"
      default: break
      }
    }
  }
}

extension ShutdownRecord {
  /// In place: copying ten thousand lanes for each change would take as long as the stop.
  fileprivate mutating func change(_ position: Int, _ body: (inout Lane) -> Void) {
    body(&self.workers[position])
  }
}

extension ShutdownRecord.LeaderEnd {
  init(_ status: TerminationStatus, at: Microseconds) {
    self.at = at
    switch status {
    case .exited(let status): self.exitStatus = status
    case .signaled(let signal, let coreDumped):
      self.signal = signal.description
      if coreDumped { self.coreDumped = true }
    }
  }
}
