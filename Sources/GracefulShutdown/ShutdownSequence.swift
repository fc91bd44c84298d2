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

  typealias Record = ShutdownReport.PhaseRecord
  typealias Failure = ShutdownReport.Failure
  typealias Outcome = ShutdownReport.Outcome

  var clock: ShutdownClock { self.coordinator.clock }
  var logger: Logger { self.coordinator.logger }
  var timeouts: ShutdownTimeouts { self.coordinator.timeouts }
  var isForcing: Bool { self.coordinator.configuration.forcesAfterTimeout }

  func run() async {
    let metrics = ShutdownMetrics(self.coordinator.metricsFactory)
    var report = ShutdownReport(identifier: self.coordinator.identifier, reason: self.reason)
    func add(_ record: Record, _ failures: [Failure]) {
      report.phases.append(record)
      report.failures += failures
      self.log(record, failures)
      metrics.record(record, failures)
    }

    // Clients are told while requests are still being answered, and closed after.
    metrics.set(requests: self.requests, clients: self.clients.count)
    let mayClose = Promise<Void>()
    let tasks = self.clients.map { id, client in
      Task { await self.disconnect(id, client, when: mayClose) }
    }
    let (drained, overstayers) = await self.drainRequests()
    add(drained, overstayers)
    metrics.set(requests: self.coordinator.requestCount, clients: self.coordinator.clientCount)

    self.coordinator.enter(.disconnectingClients)
    mayClose.fulfil(())
    let (disconnected, broken) = await self.disconnectClients()
    if self.isForcing { for task in tasks { task.cancel() } }
    for (_, client) in self.clients { report.clients.count(await client.result.value) }
    add(disconnected, broken)
    metrics.set(requests: self.coordinator.requestCount, clients: self.coordinator.clientCount)

    self.coordinator.enter(.cleaningUp)
    let cleanups = await self.runAll(.cleaningUp) { $0.nextCleanup() }
    report.cleanups = cleanups.records
    report.deadLetters = cleanups.deadLetters
    add(cleanups.phase, cleanups.failures)

    (report.refusedRequests, report.refusedInitiations) = self.coordinator.state.withLock {
      ($0.refusedRequests, $0.refusedInitiations)
    }
    report.duration = (self.clock.now - self.start).roundedToMicroseconds
    metrics.record(report)
    // The last line before the flush, for a later one might not be written.
    self.logger.log(level: report.isClean ? .notice : .warning, "shutdown \(report)")

    if self.coordinator.state.withLock({ $0.beginFlushing() }) {
      self.coordinator.enter(.flushing)
      let flushes = await self.runAll(.flushing) { $0.nextFlush() }
      add(flushes.phase, flushes.failures)
      report.duration = (self.clock.now - self.start).roundedToMicroseconds
    }
    self.coordinator.enter(.finished)
    self.coordinator.reported.fulfil(report)
  }

  func record(_ phase: ShutdownPhase, began: Duration, total: Int, _ failures: [Failure]) -> Record {
    Record(
      phase: phase, start: (began - self.start).roundedToMicroseconds,
      duration: (self.clock.now - began).roundedToMicroseconds, outcome: Outcome(of: failures), total: total,
      completed: total - failures.count)
  }

  private func log(_ record: Record, _ failures: [Failure]) {
    for failure in failures {
      self.logger.warning(
        "shutdown: \(record.phase): \(failure.name): \(failure.detail)",
        metadata: ShutdownCoordinator.metadata(request: failure.correlation))
    }
    let took = record.duration.secondsText
    self.logger.info(
      "shutdown: \(record.phase) \(record.outcome) after \(took) s, \(record.completed) of \(record.total)")
  }

  // MARK: Requests

  private func drainRequests() async -> (Record, [Failure]) {
    let limit = self.timeouts.requests
    if await self.coordinator.drained.value(until: self.start + limit, on: self.clock) != nil {
      return (self.record(.drainingRequests, began: self.start, total: self.requests, []), [])
    }
    let forcing = self.isForcing
    let overstayers = self.coordinator.state.withLock { $0.overstayers(cancelling: forcing) }
    if forcing {
      for (_, request) in overstayers { request.cancel?() }
      let patience = self.clock.now + self.timeouts.cancelledRequests
      _ = await self.coordinator.drained.value(until: patience, on: self.clock)
    }
    let failures = overstayers.map { id, request in
      let isLeft = self.coordinator.state.withLock { $0.isInFlight(id) }
      return Failure(
        phase: .drainingRequests, name: request.name, outcome: .timedOut,
        detail: forcing
          ? "cancelled after \(limit.secondsText) s" + (isLeft ? ", still running" : "")
          : "still running after \(limit.secondsText) s",
        correlation: request.correlation)
    }
    return (self.record(.drainingRequests, began: self.start, total: self.requests, failures), failures)
  }

  // MARK: Clients

  private func disconnect(
    _ id: UInt64, _ client: ShutdownState.Client, when mayClose: Promise<Void>
  ) async {
    do {
      try await client.client.notify(self.reason)
      self.coordinator.told()
      await mayClose.value
      if self.coordinator.state.withLock({ $0.registeredClient(id) }) { try await client.client.close() }
      self.coordinator.settle(id, client, .closed)
    } catch is ShutdownClientLeft {
      self.coordinator.settle(id, client, .left)
    } catch {
      self.coordinator.settle(id, client, .failed("\(error)")) { client.client.abort() }
    }
  }

  private func disconnectClients() async -> (Record, [Failure]) {
    let began = self.clock.now
    let limit = self.timeouts.clients
    _ = await self.coordinator.clientsSettled.value(until: began + limit, on: self.clock)

    let forcing = self.isForcing
    let late = self.clients.filter { id, client in
      self.coordinator.settle(id, client, forcing ? .dropped : .overstayed)
    }
    // Every client has its outcome now, but some may just be on the way to their end.
    let patience = self.clock.now + self.timeouts.cancelledRequests
    if forcing, !late.isEmpty { await self.abort(late.map(\.client.client), until: patience) }
    _ = await self.coordinator.clientsSettled.value(until: patience, on: self.clock)
    var failures: [Failure] = []
    for (_, client) in self.clients {
      let outcome = await client.result.value
      let failure: (Outcome, String)? =
        switch outcome {
        case .dropped: (.timedOut, "dropped after \(limit.secondsText) s")
        case .overstayed: (.timedOut, "still connected after \(limit.secondsText) s")
        default: outcome.failureDetail.map { (.failed, $0) }
        }
      guard let (outcome, detail) = failure else { continue }
      failures.append(
        Failure(
          phase: .disconnectingClients, name: client.client.shutdownName, outcome: outcome, detail: detail))
    }
    return (
      self.record(.disconnectingClients, began: began, total: self.clients.count, failures), failures
    )
  }

  /// On a thread of its own, for an `abort` that blocks although it must not shall hold up no exit.
  private func abort(_ clients: [any ShutdownClient], until deadline: Duration) async {
    let work = BoundedWork.blocking { for client in clients { client.abort() } }
    switch await work.run(timeout: deadline - self.clock.now, on: self.clock, cancelling: false) {
    case .done: break
    case .failed(let detail): self.logger.error("clients cannot be dropped: \(detail)")
    case .timedOut: self.logger.error("dropping clients blocks; going on without")
    }
  }
}
