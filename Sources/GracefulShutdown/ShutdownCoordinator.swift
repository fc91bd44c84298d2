public import Logging
internal import Synchronization

/// Ends a server in order: no new requests, those in flight finished, clients told and closed, cleanups run.
///
/// A server makes one coordinator, wraps its requests in `withRequest(_:_:)` or
/// holds a `RequestToken` for each, registers long-lived clients and cleanups, and calls
/// `initiate(reason:)` when it is asked to stop. It does not end the process:
/// wait for `report` and exit then. All methods may be called from any thread or task.
public final class ShutdownCoordinator: Sendable {
  let timeouts: ShutdownTimeouts
  let logger: Logger
  let clock: ShutdownClock
  let state = Mutex(ShutdownState())
  /// Fulfilled when no request is in flight after the initiation.
  let drained = Promise<Void>()
  let reported = Promise<ShutdownReport>()

  /// Creates a coordinator for a server that is running.
  ///
  /// - Parameters:
  ///   - timeouts: How long each phase may take.
  ///   - logger: Where the course of the shutdown is written.
  ///   - clock: What timeouts and durations are measured with.
  public init(
    timeouts: ShutdownTimeouts = ShutdownTimeouts(), logger: Logger = Logger(label: "graceful-shutdown"),
    clock: some Clock<Duration> = ContinuousClock()
  ) {
    self.timeouts = timeouts
    self.logger = logger
    self.clock = ShutdownClock(clock)
  }

  // MARK: Starting and watching

  /// Begins the shutdown and returns at once.
  ///
  /// Only the first call does anything; later ones are logged and counted in the report.
  ///
  /// - Returns: Whether this call began it.
  @discardableResult
  public func initiate(reason: ShutdownReason) -> Bool {
    let (given, requests, clients) = self.state.withLock {
      ($0.initiate(reason), $0.requestCount, $0.registeredClients())
    }
    if let given {
      self.logger.notice("shutdown is already under way (\(given)); ignored: \(reason)")
      return false
    }
    self.logger.notice("shutting down: \(reason); \(requests) requests in flight, \(clients.count) clients")
    let sequence = ShutdownSequence(
      coordinator: self, reason: reason, requests: requests, clients: clients, start: self.clock.now)
    if requests == 0 { self.drained.fulfil(()) }
    Task { await sequence.run() }
    return true
  }

  /// Whether the shutdown was initiated. Never goes back to false.
  public var isShuttingDown: Bool { self.state.withLock { $0.reason != nil } }

  /// Why the shutdown was initiated; nil before.
  public var reason: ShutdownReason? { self.state.withLock { $0.reason } }

  /// What the server is doing now.
  public var phase: ShutdownPhase { self.state.withLock { $0.phase } }

  /// The current phase and each later one; ends after `finished`. Every access makes a stream of its own.
  public var phases: AsyncStream<ShutdownPhase> {
    let (stream, continuation) = AsyncStream.makeStream(of: ShutdownPhase.self)
    let id = self.state.withLock { $0.addObserver(continuation) }
    continuation.onTermination = { [weak self] termination in
      // Finishing happens inside the lock, and has forgotten the observer already.
      if case .cancelled = termination { self?.state.withLock { $0.removeObserver(id) } }
    }
    return stream
  }

  /// The report, once the shutdown is finished. Waits for that, also before it was initiated.
  public var report: ShutdownReport {
    get async { await self.reported.value }
  }

  // MARK: Requests

  /// How many requests are in flight.
  public var requestCount: Int { self.state.withLock { $0.requestCount } }

  /// Counts a request as in flight until the token is ended.
  ///
  /// - Parameter name: Names it in logs and in the report, should it overstay.
  /// - Throws: `ShutdownError` with code `.requestRefused` once the shutdown was initiated.
  public func beginRequest(_ name: String) throws(ShutdownError) -> RequestToken {
    let id = try self.state.withLock { state throws(ShutdownError) in try state.beginRequest(name) }
    return RequestToken(id: id, coordinator: self)
  }

  /// Runs a request that the shutdown waits for, in a task it can cancel.
  ///
  /// Cancelling the calling task cancels the request too.
  ///
  /// - Parameters:
  ///   - name: Names it in logs and in the report, should it overstay.
  ///   - operation: The request. When the time for requests is over its task is cancelled.
  /// - Throws: `ShutdownError` with code `.requestRefused` once the shutdown was
  ///   initiated, or what the operation throws.
  public func withRequest<Success: Sendable>(
    _ name: String, _ operation: @escaping @Sendable () async throws -> Success
  ) async throws -> Success {
    let token = try self.beginRequest(name)
    defer { token.end() }
    let task = Task { try await operation() }
    token.onCancel { task.cancel() }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  func endRequest(_ id: UInt64) {
    if self.state.withLock({ $0.endRequest(id) }) { self.drained.fulfil(()) }
  }

  // MARK: Clients

  /// How many clients are registered.
  public var clientCount: Int { self.state.withLock { $0.clientCount } }

  /// Registers a client to be told and closed by the shutdown. Take it back when the client leaves.
  ///
  /// - Throws: `ShutdownError` with code `.clientRefused` once the shutdown was initiated.
  public func register(_ client: some ShutdownClient) throws(ShutdownError) -> ShutdownRegistration {
    let id = try self.state.withLock { state throws(ShutdownError) in try state.addClient(client) }
    return ShutdownRegistration { [weak self] in
      self?.state.withLock { $0.removeClient(id) }?.result.fulfil(.left)
    }
  }

  // MARK: Cleanups

  /// Registers work for the end, last registered first, one at a time.
  ///
  /// When its time is over its task is cancelled, and the next one runs whether it returns or not.
  ///
  /// - Parameters:
  ///   - name: Names it in logs and in the report.
  ///   - timeout: How long it may take; nil for the coordinator's.
  ///   - body: What to do. It must suspend rather than block its thread; for what blocks there is
  ///     `addBlockingCleanup(_:timeout:_:)`. What it throws is recorded and stops nothing.
  /// - Throws: `ShutdownError` with code `.cleanupRefused` after the shutdown is finished.
  @discardableResult
  public func addCleanup(
    _ name: String, timeout: Duration? = nil, _ body: @escaping @Sendable () async throws -> Void
  ) throws(ShutdownError) -> ShutdownRegistration {
    try self.addCleanup(name, timeout: timeout, body: .asynchronous(body))
  }

  /// Registers work for the end that may block: it runs on a thread of its own.
  ///
  /// A body that never returns keeps its thread, and nothing else, until the process exits.
  ///
  /// - Parameters:
  ///   - name: Names it in logs and in the report.
  ///   - timeout: How long it may take; nil for the coordinator's.
  ///   - body: What to do. What it throws is recorded and stops nothing.
  /// - Throws: `ShutdownError` with code `.cleanupRefused` after the shutdown is finished.
  @discardableResult
  public func addBlockingCleanup(
    _ name: String, timeout: Duration? = nil, _ body: @escaping @Sendable () throws -> Void
  ) throws(ShutdownError) -> ShutdownRegistration {
    try self.addCleanup(name, timeout: timeout, body: .blocking(body))
  }

  private func addCleanup(
    _ name: String, timeout: Duration?, body: ShutdownState.Cleanup.Body
  ) throws(ShutdownError) -> ShutdownRegistration {
    let id = try self.state.withLock { state throws(ShutdownError) in
      try state.addCleanup(name, timeout: timeout, body: body)
    }
    return ShutdownRegistration { [weak self] in self?.state.withLock { $0.removeCleanup(id) } }
  }
}
