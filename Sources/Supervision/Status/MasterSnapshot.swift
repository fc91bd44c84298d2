package import ProcCtl

/// What a snapshot holds beyond the master's own state.
package struct SnapshotContext {
  package var version: String
  package var configuration: String
  package var began: MonotonicInstant

  package init(version: String, configuration: String, began: MonotonicInstant) {
    self.version = version
    self.configuration = configuration
    self.began = began
  }
}

extension Master {
  /// How it stands now.
  ///
  /// - Parameters:
  ///   - clients: Connections by port; nil if they are not known.
  package func snapshot(_ context: SnapshotContext, clients: [UInt16: Int]?) -> MasterStatusSnapshot {
    let now = self.scheduler.now
    return MasterStatusSnapshot(
      version: context.version, pid: self.kernel.selfIdentifier.value, configuration: context.configuration,
      phase: "\(self.phase)", ready: self.isReady, status: self.status,
      uptime_seconds: context.began.duration(to: now).wholeMilliseconds,
      stop: self.stopBegan.map { began in
        MasterStatusSnapshot.Stop(
          reason: self.stopReason, seconds: began.duration(to: now).wholeMilliseconds,
          budget_seconds: self.longestStop.wholeMilliseconds)
      },
      workers: self.workers.map { self.snapshot(of: $0, at: now, clients: clients) })
  }

  /// Every worker is ready, and no stop has begun.
  package var isReady: Bool { self.phase == .running && self.readyCount == self.workers.count }

  /// One worker as it stands now; nil if there is none of that name.
  package func snapshot(ofWorker name: String) -> MasterStatusSnapshot.Worker? {
    self.workersByName[name].map { self.snapshot(of: $0, at: self.scheduler.now, clients: nil) }
  }

  func snapshot(
    of worker: WorkerRecord, at now: MonotonicInstant, clients: [UInt16: Int]?
  ) -> MasterStatusSnapshot.Worker {
    let port = worker.definition.port
    let state = worker.life.state
    return MasterStatusSnapshot.Worker(
      name: worker.definition.name, state: "\(state)",
      seconds: worker.since.map { $0.duration(to: now).wholeMilliseconds } ?? 0,
      pid: worker.program?.processIdentifier.value, port: port,
      clients: port.flatMap { port in clients.map { $0[port] ?? 0 } },
      restarts: max(worker.life.starts - 1, 0), step: worker.step, trouble: worker.trouble)
  }
}

extension WorkerRecord {
  /// How far its stop has come.
  var step: String? {
    guard self.life.state == .stopping else { return nil }
    if let signal = self.lastSignal { return String("\(signal)".dropFirst(3)) }
    return self.isAsked ? "asked" : nil
  }

  var trouble: String? {
    if let trouble = self.life.trouble { return trouble }
    if self.life.state == .starting { return self.readiness?.missing(closely: false) }
    // How it ended says something if nobody ended it.
    let endedByItself = self.life.state == .stopped && self.lastSignal == nil && !self.isAsked
    guard self.life.state == .backoff || endedByItself, let status = self.life.lastStatus, !status.isSuccess
    else { return nil }
    return "\(status)"
  }
}

extension Duration {
  /// In seconds, to the millisecond: more would be noise in a text.
  var wholeMilliseconds: Double { (self / .milliseconds(1)).rounded() / 1000 }
}
