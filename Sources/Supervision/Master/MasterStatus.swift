internal import ProcCtl

/// How the master stands, for people and for systemd.
extension Master {
  package var readyCount: Int { self.counts[.ready] ?? 0 }

  var finalCount: Int { (self.counts[.stopped] ?? 0) + (self.counts[.failed] ?? 0) }

  package var status: String {
    let total = self.workers.count
    switch self.phase {
    case .running:
      if self.readyCount == total { return "ready \(total)/\(total)" }
      let waiting = self.workers.first { $0.life.state != .ready && !$0.life.state.isFinal }
      var text = "ready \(self.readyCount)/\(total)"
      if let waiting { text += ", waiting for \(self.description(of: waiting))" }
      return text
    case .stopping:
      var text = "stopping \(self.finalCount)/\(total)"
      if let waiting = self.workers.first(where: { !$0.life.state.isFinal }) {
        text += ", waiting for \(self.description(of: waiting))"
      }
      return text
    case .sweeping: return "ending what belongs to no worker"
    case .cleaning: return "cleaning up"
    case .ended: return "stopped: \(self.outcome.summary)"
    }
  }

  private func description(of worker: WorkerRecord) -> String {
    guard let leader = worker.leader else { return "\(worker.definition.name) (\(worker.life.state))" }
    let pid = worker.program?.processIdentifier ?? leader.processIdentifier
    let clients = worker.life.clients > 0 ? ", \(Self.clients(worker.life.clients))" : ""
    let wait = self.phase == .running ? nil : self.describeWait?(pid)
    return "\(worker.definition.name) (pid \(pid)\(wait.map { ", \($0)" } ?? "")\(clients))"
  }

  /// The longest until every worker that is starting is ready or given up.
  package var longestStart: Duration {
    self.workers.map(\.definition.startTimeout).max() ?? .zero
  }

  /// Says how it stands, at most ten times a second: a thousand workers getting
  /// ready are not a thousand messages.
  func report() {
    guard self.reportTimer == nil else { return }
    let now = self.scheduler.now
    let next = self.lastReport?.advanced(by: .milliseconds(100)) ?? now
    if next <= now { return self.reportNow() }
    self.reportTimer = self.scheduler.schedule(at: next) { [unowned self] in
      self.reportTimer = nil
      self.reportNow()
    }
  }

  func reportNow() {
    self.lastReport = self.scheduler.now
    let status = self.status
    guard status != self.lastStatus else { return }
    self.lastStatus = status
    self.observer?.statusChanged(status, stopping: self.phase != .running)
  }
}
