public import CoreMetrics
public import Logging
internal import Synchronization

/// Ends a server in order: no new requests, those in flight finished, clients told and closed, cleanups run.
///
/// A server makes one coordinator, or uses ``shared``; it wraps its requests in
/// ``withRequest(_:correlation:_:)`` or holds a ``RequestToken`` for each, registers long-lived clients
/// and cleanups, and calls ``initiate(reason:)`` when it is asked to stop. The coordinator does not end
/// the process by itself: wait for ``report`` and exit then, or let ``exitWhenFinished(status:)`` do it.
/// All methods may be called from any thread or task.
public final class ShutdownCoordinator: Sendable {
  /// As it was given.
  public let configuration: ShutdownConfiguration
  /// The correlation id of this coordinator's shutdown: every line it logs carries it as `shutdown-id`.
  public let identifier: String
  let logger: Logger
  let metricsFactory: (any MetricsFactory)?
  let deadLetters: DeadLetterFile?
  let clock: ShutdownClock
  let state = Mutex(ShutdownState())
  /// Fulfilled when no request is in flight after the initiation.
  let drained = Promise<Void>()
  /// Fulfilled when every client of the shutdown has its outcome.
  let clientsSettled = Promise<Void>()
  let reported = Promise<ShutdownReport>()

  var timeouts: ShutdownTimeouts { self.configuration.timeouts }

  /// Creates a coordinator for a server that is running.
  ///
  /// - Parameters:
  ///   - configuration: What the shutdown may do, and how long.
  ///   - logger: Where the course of the shutdown is written.
  ///   - metrics: Where durations and counts of the phases go; nil for what `MetricsSystem` has been
  ///     bootstrapped with by the time the shutdown is initiated.
  ///   - deadLetters: Where failed cleanups that can be tried again are kept; nil for nowhere.
  ///   - clock: What timeouts and durations are measured with.
  public init(
    configuration: ShutdownConfiguration = ShutdownConfiguration(),
    logger: Logger = Logger(label: "graceful-shutdown"), metrics: (any MetricsFactory)? = nil,
    deadLetters: DeadLetterFile? = nil, clock: some Clock<Duration> = ContinuousClock()
  ) {
    self.configuration = configuration
    let identifier = ShutdownCoordinator.makeIdentifier()
    self.identifier = identifier
    var logger = logger
    logger[metadataKey: "shutdown-id"] = "\(identifier)"
    self.logger = logger
    self.metricsFactory = metrics
    self.deadLetters = deadLetters
    self.clock = ShutdownClock(clock)
  }

  /// Creates a coordinator with these timeouts, and defaults for what else can be configured.
  ///
  /// - Parameters:
  ///   - timeouts: How long each phase may take.
  ///   - logger: Where the course of the shutdown is written.
  ///   - clock: What timeouts and durations are measured with.
  public convenience init(
    timeouts: ShutdownTimeouts, logger: Logger = Logger(label: "graceful-shutdown"),
    clock: some Clock<Duration> = ContinuousClock()
  ) {
    self.init(configuration: ShutdownConfiguration(timeouts: timeouts), logger: logger, clock: clock)
  }

  private static func makeIdentifier() -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  // MARK: Starting

  /// Begins the shutdown and returns at once.
  ///
  /// Only the first call does anything; later ones are refused, logged, and counted in the report.
  ///
  /// - Returns: Whether this call began it.
  @discardableResult
  public func initiate(reason: ShutdownReason) -> Bool {
    let now = self.clock.now
    let (given, requests, clients, isGuarded) = self.state.withLock {
      ($0.initiate(reason, at: now), $0.requestCount, $0.registeredClients(), $0.isGuarded)
    }
    if let given {
      self.logger.notice("shutdown is already under way (\(given)); ignored: \(reason)")
      self.publish()
      return false
    }
    self.logger.notice("shutting down: \(reason); \(requests) requests in flight, \(clients.count) clients")
    if isGuarded { self.watch() }
    self.publish()
    let sequence = ShutdownSequence(
      coordinator: self, reason: reason, requests: requests, clients: clients, start: now)
    if requests == 0 { self.drained.fulfil(()) }
    if clients.isEmpty { self.clientsSettled.fulfil(()) }
    Task { await sequence.run() }
    return true
  }

  /// Whether the shutdown was initiated. Never goes back to false.
  public var isShuttingDown: Bool { self.state.withLock { $0.reason != nil } }

  /// Why the shutdown was initiated; nil before.
  public var reason: ShutdownReason? { self.state.withLock { $0.reason } }

  /// The longest a shutdown can take with the cleanups and flush hooks registered now: the sum of all
  /// timeouts. Whoever has a deadline of their own for this server should set it beyond.
  public var longestShutdown: Duration {
    let timeouts = self.timeouts
    return self.state.withLock { $0.longest(timeouts) }
  }

  // MARK: Watching

  /// What the server is doing now.
  public var phase: ShutdownPhase { self.state.withLock { $0.phase } }

  /// The current phase and each later one; ends after `finished`. Every access makes a stream of its own.
  public var phases: AsyncStream<ShutdownPhase> {
    let (stream, continuation) = AsyncStream.makeStream(of: ShutdownPhase.self)
    let id = self.state.withLock { $0.addPhaseObserver(continuation) }
    continuation.onTermination = { [weak self] termination in
      // Finishing happens inside the lock, and has forgotten the observer already.
      if case .cancelled = termination { self?.state.withLock { $0.removePhaseObserver(id) } }
    }
    return stream
  }

  /// Where the server stands now.
  public var statistics: ShutdownStatistics {
    let now = self.clock.now
    return self.state.withLock { $0.statistics(at: now, identifier: self.identifier) }
  }

  /// The statistics now, and again whenever the shutdown gets ahead: a phase begins, a request ends, a
  /// client is told or gone, a cleanup is over. Ends when the shutdown has finished.
  ///
  /// Who reads slowly gets the newest and misses those in between. Every access makes a stream of its own.
  public var progress: AsyncStream<ShutdownStatistics> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: ShutdownStatistics.self, bufferingPolicy: .bufferingNewest(1))
    let now = self.clock.now
    let id = self.state.withLock {
      $0.addObserver(continuation) { $0.statistics(at: now, identifier: self.identifier) }
    }
    continuation.onTermination = { [weak self] termination in
      if case .cancelled = termination { self?.state.withLock { $0.removeObserver(id) } }
    }
    return stream
  }

  /// The report, once the shutdown is finished. Waits for that, also before it was initiated, and takes
  /// no notice of its task being cancelled.
  public var report: ShutdownReport {
    get async { await self.reported.value }
  }

  func publish() {
    let now = self.clock.now
    self.state.withLock { $0.publish(at: now, identifier: self.identifier) }
  }

  func enter(_ phase: ShutdownPhase) {
    let now = self.clock.now
    self.state.withLock {
      $0.enter(phase)
      $0.publish(at: now, identifier: self.identifier)
    }
  }
}
