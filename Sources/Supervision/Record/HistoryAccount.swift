package import ProcCtl

/// Makes the events of workers' lives of what a master does and finds out. A value without clock or I/O.
package struct HistoryAccount: Sendable {
  private struct Life: Sendable {
    var port: UInt16?
    var state = WorkerState.waiting
    var starts = 0
    var pid: Int32?
    var startedAt: MonotonicInstant?
    var readyAt: MonotonicInstant?
    var leaderHasEnded = false
    var isCommanded = false
    /// Why the last start did not come about.
    var obstacle: WorkerEvent.Cause?
  }

  private var lives: [String: Life] = [:]
  private var isStopping = false

  package init(workers: [(name: String, port: UInt16?)]) {
    for worker in workers { self.lives[worker.name] = Life(port: worker.port) }
  }

  /// - Parameter wallClock: Since 1970.
  package mutating func workerChanged(
    _ name: String, _ state: WorkerState, _ why: String, pid: Int32?, at now: MonotonicInstant,
    wallClock: Microseconds
  ) -> WorkerEvent? {
    guard var life = self.lives[name] else { return nil }
    defer { self.lives[name] = life }
    let before = life.state
    life.state = state
    life.pid = pid ?? life.pid
    func event(_ kind: WorkerEvent.Kind) -> WorkerEvent {
      var event = WorkerEvent(worker: name, at: wallClock, kind: kind)
      event.pid = life.pid
      event.port = life.port
      event.reason = why.isEmpty ? nil : why
      return event
    }
    switch state {
    case .starting:
      life.starts += 1
      life.startedAt = now
      life.readyAt = nil
      life.leaderHasEnded = false
      life.isCommanded = false
      life.obstacle = nil
      var started = event(.started)
      started.start = life.starts
      return started
    case .ready:
      life.readyAt = now
      var ready = event(.ready)
      ready.after = life.startedAt.map { Microseconds(from: $0, to: now) }
      return ready
    case .stopping:
      var stopping = event(.stopping)
      stopping.cause = self.cause(of: life, before: before)
      if stopping.cause == .leaderEnded { stopping.reason = nil }
      return stopping
    case .blocked:
      var blocked = event(.blocked)
      blocked.pid = nil
      blocked.cause = life.obstacle
      return blocked
    case .stopped: return event(.stopped)
    case .failed: return event(.failed)
    // What it waits for comes as an event of its own, with the time.
    case .backoff, .waiting, .verifying: return nil
    }
  }

  private func cause(of life: Life, before: WorkerState) -> WorkerEvent.Cause {
    if life.leaderHasEnded { return .leaderEnded }
    if self.isStopping { return .shutdown }
    if life.isCommanded { return .command }
    return before == .starting ? .neverReady : .unhealthy
  }

  package mutating func happened(
    _ event: MasterEvent, at now: MonotonicInstant, wallClock: Microseconds
  ) -> WorkerEvent? {
    switch event {
    case .phaseBegan(.stopping):
      self.isStopping = true
      return nil
    case .commanded(let worker, let command):
      self.lives[worker]?.isCommanded = command != .start
      var event = WorkerEvent(worker: worker, at: wallClock, kind: .commanded)
      event.command = command
      return event
    case .programStarted(let worker, let pid):
      self.lives[worker]?.pid = pid.value
      return nil
    case .startFailed(let worker, _):
      self.lives[worker]?.obstacle = .cannotStart
      return nil
    case .portBlocked(let worker, _, _):
      self.lives[worker]?.obstacle = .portBlocked
      return nil
    case .leaderEnded(let worker, let status, let lastSent):
      return self.leaderEnded(worker, status, lastSent, at: now, wallClock: wallClock)
    case .willTryAgain(let worker, let pause):
      var event = WorkerEvent(worker: worker, at: wallClock, kind: .waiting)
      event.next = Microseconds(pause)
      return event
    default: return nil
    }
  }

  private mutating func leaderEnded(
    _ worker: String, _ status: TerminationStatus, _ lastSent: Signal?, at now: MonotonicInstant,
    wallClock: Microseconds
  ) -> WorkerEvent? {
    guard let life = self.lives[worker] else { return nil }
    self.lives[worker]?.leaderHasEnded = true
    var event = WorkerEvent(worker: worker, at: wallClock, kind: .leaderEnded)
    event.pid = life.pid
    event.sent = lastSent?.description
    event.wasReady = life.readyAt != nil
    event.after = (life.readyAt ?? life.startedAt).map { Microseconds(from: $0, to: now) }
    switch status {
    case .exited(let status): event.exitStatus = status
    case .signaled(let signal, let coreDumped):
      event.signal = signal.description
      event.coreDumped = coreDumped ? true : nil
    }
    return event
  }
}
