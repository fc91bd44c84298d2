internal import Logging
internal import Synchronization

/// The phases of one shutdown, from the initiation to the report.
struct ShutdownSequence: Sendable {
  let coordinator: ShutdownCoordinator
  let reason: ShutdownReason
  /// How many requests were in flight when it was initiated.
  let requests: Int
  let clients: [(id: UInt64, client: ShutdownState.Client)]
  let start: Duration

  private typealias Record = ShutdownReport.PhaseRecord
  private typealias Failure = ShutdownReport.Failure

  private var clock: ShutdownClock { self.coordinator.clock }
  private var logger: Logger { self.coordinator.logger }

  func run() async {
    var phases: [Record] = []
    var failures: [Failure] = []
    func add(_ result: (record: Record, failures: [Failure])) {
      phases.append(result.record)
      failures += result.failures
      self.log(result.record, result.failures)
    }

    // Clients are told while requests are still being answered, and closed after.
    let mayClose = Promise<Void>()
    let tasks = self.clients.map { id, client in
      Task { await self.disconnect(id, client, when: mayClose) }
    }
    add(await self.drainRequests())

    self.coordinator.state.withLock { $0.enter(.disconnectingClients) }
    mayClose.fulfil(())
    add(await self.disconnectClients())
    for task in tasks { task.cancel() }

    self.coordinator.state.withLock { $0.enter(.cleaningUp) }
    let beganCleanups = self.clock.now
    var cleanups: [Failure?] = []
    while let cleanup = self.nextCleanup() { cleanups.append(await self.run(cleanup)) }
    add(self.record(.cleaningUp, began: beganCleanups, total: cleanups.count, cleanups.compactMap { $0 }))

    let (refusedRequests, refusedInitiations) = self.coordinator.state.withLock {
      ($0.refusedRequests, $0.refusedInitiations)
    }
    let report = ShutdownReport(
      reason: self.reason, phases: phases, failures: failures, refusedRequests: refusedRequests,
      refusedInitiations: refusedInitiations, duration: (self.clock.now - self.start).roundedToMicroseconds)
    self.logger.log(level: report.isClean ? .notice : .warning, "shutdown \(report)")
    self.coordinator.reported.fulfil(report)
  }

  private func record(
    _ phase: ShutdownPhase, began: Duration, total: Int, _ failures: [Failure]
  ) -> (record: Record, failures: [Failure]) {
    let outcome: ShutdownReport.Outcome =
      failures.isEmpty ? .completed : failures.contains { $0.outcome == .timedOut } ? .timedOut : .failed
    let record = Record(
      phase: phase, start: (began - self.start).roundedToMicroseconds,
      duration: (self.clock.now - began).roundedToMicroseconds, outcome: outcome, total: total,
      completed: total - failures.count)
    return (record, failures)
  }

  private func log(_ record: Record, _ failures: [Failure]) {
    for failure in failures {
      self.logger.warning("shutdown: \(record.phase): \(failure.name): \(failure.detail)")
    }
    self.logger.info(
      "shutdown: \(record.phase) \(record.outcome) after \(record.duration.secondsText) s, \(record.completed) of \(record.total)"
    )
  }

  // MARK: Requests

  private func drainRequests() async -> (record: Record, failures: [Failure]) {
    let timeouts = self.coordinator.timeouts
    if await self.coordinator.drained.value(until: self.start + timeouts.requests, on: self.clock) != nil {
      return self.record(.drainingRequests, began: self.start, total: self.requests, [])
    }
    let overstayers = self.coordinator.state.withLock { $0.cancelRequests() }
    for overstayer in overstayers { overstayer.cancel?() }
    _ = await self.coordinator.drained.value(
      until: self.clock.now + timeouts.cancelledRequests, on: self.clock)
    let failures = overstayers.map { id, name, _ in
      let left = self.coordinator.state.withLock { $0.isInFlight(id) }
      return Failure(
        phase: .drainingRequests, name: name, outcome: .timedOut,
        detail: "cancelled after \(timeouts.requests.secondsText) s" + (left ? ", still running" : ""))
    }
    return self.record(.drainingRequests, began: self.start, total: self.requests, failures)
  }

  // MARK: Clients

  private func disconnect(
    _ id: UInt64, _ client: ShutdownState.Client, when mayClose: Promise<Void>
  ) async {
    do {
      try await client.client.notify(self.reason)
      await mayClose.value
      if self.coordinator.state.withLock({ $0.registeredClient(id) }) { try await client.client.close() }
      client.result.fulfil(.closed)
    } catch {
      if client.result.fulfil(.failed("\(error)")) { client.client.abort() }
    }
  }

  private func disconnectClients() async -> (record: Record, failures: [Failure]) {
    let began = self.clock.now
    let timeout = self.coordinator.timeouts.clients
    let allSettled = Promise<Void>()
    let pending = PendingCount(self.clients.count)
    if self.clients.isEmpty { allSettled.fulfil(()) }
    for (_, client) in self.clients {
      client.result.whenFulfilled { _ in
        if pending.decrement() { allSettled.fulfil(()) }
      }
    }
    _ = await allSettled.value(until: began + timeout, on: self.clock)

    var failures: [Failure] = []
    for (id, client) in self.clients {
      if client.result.fulfil(.failed("")) {
        client.client.abort()
        failures.append(
          Failure(
            phase: .disconnectingClients, name: client.client.shutdownName, outcome: .timedOut,
            detail: "dropped after \(timeout.secondsText) s"))
      } else if case .failed(let detail) = await client.result.value {
        failures.append(
          Failure(
            phase: .disconnectingClients, name: client.client.shutdownName, outcome: .failed, detail: detail))
      }
      _ = self.coordinator.state.withLock { $0.removeClient(id) }
    }
    return self.record(.disconnectingClients, began: began, total: self.clients.count, failures)
  }

  // MARK: Cleanups

  private func nextCleanup() -> ShutdownState.Cleanup? {
    self.coordinator.state.withLock { state in
      if let cleanup = state.nextCleanup() { return cleanup }
      // In the same breath, so that none can be registered that would never run.
      state.enter(.finished)
      return nil
    }
  }

  /// Runs one cleanup to its end or its timeout; returns what went wrong.
  private func run(_ cleanup: ShutdownState.Cleanup) async -> Failure? {
    let timeout = cleanup.timeout ?? self.coordinator.timeouts.cleanup
    let ended = Promise<String?>()
    var task: Task<Void, Never>?
    switch cleanup.body {
    case .asynchronous(let body):
      task = Task {
        do {
          try await body()
          ended.fulfil(nil)
        } catch {
          ended.fulfil("\(error)")
        }
      }
    case .blocking(let body):
      do {
        try BlockingThread.start {
          do {
            try body()
            ended.fulfil(nil)
          } catch {
            ended.fulfil("\(error)")
          }
        }
      } catch {
        ended.fulfil("\(error)")
      }
    }
    switch await ended.value(until: self.clock.now + timeout, on: self.clock) {
    case .some(.none):
      return nil
    case .some(.some(let detail)):
      return Failure(phase: .cleaningUp, name: cleanup.name, outcome: .failed, detail: detail)
    case .none:
      task?.cancel()
      return Failure(
        phase: .cleaningUp, name: cleanup.name, outcome: .timedOut,
        detail: "not done after \(timeout.secondsText) s, left behind")
    }
  }
}

/// Counts down to nothing, once.
private final class PendingCount: Sendable {
  private let count: Mutex<Int>

  init(_ count: Int) {
    self.count = Mutex(count)
  }

  /// Returns whether it was the last.
  func decrement() -> Bool {
    self.count.withLock {
      $0 -= 1
      return $0 == 0
    }
  }
}
