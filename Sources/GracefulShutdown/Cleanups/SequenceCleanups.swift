internal import Logging
internal import Synchronization

extension ShutdownSequence {
  struct CleanupResult {
    var phase: Record
    var failures: [Failure] = []
    var records: [ShutdownReport.CleanupRecord] = []
    /// How many of the failed ones are kept to be tried again.
    var deadLetters = 0
  }

  /// Runs what is registered, one after the other, until there is none.
  func runAll(
    _ phase: ShutdownPhase, next: @Sendable (inout ShutdownState) -> ShutdownState.Cleanup?
  ) async -> CleanupResult {
    let began = self.clock.now
    let usual = phase == .flushing ? self.timeouts.flush : self.timeouts.cleanup
    var failures: [Failure] = []
    var records: [ShutdownReport.CleanupRecord] = []
    var deadLetters = 0
    while let cleanup = self.coordinator.state.withLock({ next(&$0) }) {
      self.coordinator.publish()
      let started = self.clock.now
      let timeout = cleanup.timeout ?? usual
      var outcome = Outcome.completed
      var detail = ""
      switch await cleanup.work.run(timeout: timeout, on: self.clock, cancelling: self.isForcing) {
      case .done: break
      case .failed(let why): (outcome, detail) = (.failed, why)
      case .timedOut: (outcome, detail) = (.timedOut, "not done after \(timeout.secondsText) s, left behind")
      }
      let duration = (self.clock.now - started).roundedToMicroseconds
      records.append(
        .init(
          name: cleanup.name, start: (started - self.start).roundedToMicroseconds, duration: duration,
          outcome: outcome))
      let failed = outcome != .completed
      self.coordinator.state.withLock { $0.cleanupRan(failed: failed) }
      if failed {
        if let note = await self.keep(cleanup, detail) {
          detail += note
        } else if cleanup.retry != nil {
          deadLetters += 1
        }
        failures.append(Failure(phase: phase, name: cleanup.name, outcome: outcome, detail: detail))
      }
      self.coordinator.publish()
      self.logger.debug("\(phase): \(cleanup.name) \(outcome) after \(duration.secondsText) s")
    }
    self.coordinator.publish()
    return CleanupResult(
      phase: self.record(phase, began: began, total: records.count, failures), failures: failures,
      records: records, deadLetters: deadLetters)
  }

  /// Keeps a failed cleanup for later, if it can be tried again; returns why that did not work.
  private func keep(_ cleanup: ShutdownState.Cleanup, _ detail: String) async -> String? {
    guard let retry = cleanup.retry else { return nil }
    guard let file = self.coordinator.deadLetters else { return "; not kept: there is no file for it" }
    let identifier = self.coordinator.identifier
    let work = BoundedWork.blocking {
      try file.append(
        DeadLetter(
          cleanup: cleanup.name, handler: retry.handler, payload: retry.payload(), failure: detail,
          shutdown: identifier))
    }
    switch await work.run(timeout: self.timeouts.flush, on: self.clock, cancelling: false) {
    case .done: return nil
    case .failed(let why): return "; not kept: \(why)"
    case .timedOut: return "; not kept: writing takes more than \(self.timeouts.flush.secondsText) s"
    }
  }
}
