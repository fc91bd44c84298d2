/// What a coordinator knows. Decides only; whatever it returns is run by the caller, outside the lock.
struct ShutdownState {
  struct Request {
    var name: String
    var correlation: String?
    var cancel: (@Sendable () -> Void)?
    var cancelled = false
  }

  struct Client {
    var client: any ShutdownClient
    var result = Promise<ShutdownClientOutcome>()
  }

  struct Cleanup {
    var id: UInt64
    var name: String
    var timeout: Duration?
    var work: BoundedWork
    var retry: CleanupRetry?
  }

  /// How long a cleanup or flush hook may take, without what it does.
  private struct TimeLimit {
    let timeout: Duration?
    let isFlush: Bool
    let isKept: Bool

    init(_ cleanup: Cleanup, isFlush: Bool) {
      self.timeout = cleanup.timeout
      self.isFlush = isFlush
      self.isKept = cleanup.retry != nil
    }

    func duration(_ timeouts: ShutdownTimeouts) -> Duration {
      let own = self.timeout ?? (self.isFlush ? timeouts.flush : timeouts.cleanup)
      return self.isKept ? own + timeouts.flush : own
    }
  }

  private(set) var phase = ShutdownPhase.running
  private(set) var reason: ShutdownReason?
  private(set) var refusedRequests = 0
  private(set) var refusedInitiations = 0
  private(set) var clientCounts = ShutdownClientCounts()
  /// What there was to do when it was initiated.
  private(set) var initialRequests = 0
  private(set) var initialClients = 0
  private var start: Duration?
  private var requests: [UInt64: Request] = [:]
  private var clients: [UInt64: Client] = [:]
  private var cleanups: [Cleanup] = []
  private var flushes: [Cleanup] = []
  private var toldClients = 0
  private var runCleanups = 0
  private var failedCleanups = 0
  private var current: String?
  /// The time of cleanups and flush hooks that were taken out to run.
  private var begun: [TimeLimit] = []
  private(set) var isGuarded = false
  private var takesCleanups = true
  private var takesFlushes = true
  private var phaseObservers: [UInt64: AsyncStream<ShutdownPhase>.Continuation] = [:]
  private var observers: [UInt64: AsyncStream<ShutdownStatistics>.Continuation] = [:]
  private var lastID: UInt64 = 0

  var requestCount: Int { self.requests.count }
  var clientCount: Int { self.clients.count }

  private mutating func nextID() -> UInt64 {
    self.lastID += 1
    return self.lastID
  }

  // MARK: Phases

  /// Returns the reason already given when this is not the first attempt.
  mutating func initiate(_ reason: ShutdownReason, at now: Duration) -> ShutdownReason? {
    if let given = self.reason {
      self.refusedInitiations += 1
      return given
    }
    self.reason = reason
    self.start = now
    self.initialRequests = self.requests.count
    self.initialClients = self.clients.count
    self.enter(.drainingRequests)
    return nil
  }

  mutating func enter(_ phase: ShutdownPhase) {
    self.phase = phase
    for observer in self.phaseObservers.values { observer.yield(phase) }
    if phase == .finished {
      for observer in self.phaseObservers.values { observer.finish() }
      self.phaseObservers = [:]
    }
  }

  mutating func addPhaseObserver(_ observer: AsyncStream<ShutdownPhase>.Continuation) -> UInt64 {
    let id = self.nextID()
    observer.yield(self.phase)
    if self.phase == .finished { observer.finish() } else { self.phaseObservers[id] = observer }
    return id
  }

  mutating func removePhaseObserver(_ id: UInt64) {
    self.phaseObservers[id] = nil
  }

  // MARK: Statistics

  func statistics(at now: Duration, identifier: String) -> ShutdownStatistics {
    ShutdownStatistics(
      identifier: identifier, phase: self.phase, reason: self.reason,
      elapsed: self.start.map { (now - $0).roundedToMicroseconds } ?? .zero,
      requestsInFlight: self.requests.count, refusedRequests: self.refusedRequests,
      refusedInitiations: self.refusedInitiations,
      clientsConnected: self.clients.count, clientsTold: self.toldClients, clients: self.clientCounts,
      cleanupsWaiting: self.cleanups.count, cleanupsRun: self.runCleanups,
      cleanupsFailed: self.failedCleanups,
      current: self.current)
  }

  mutating func addObserver(
    _ observer: AsyncStream<ShutdownStatistics>.Continuation,
    _ statistics: (ShutdownState) -> ShutdownStatistics
  ) -> UInt64 {
    let id = self.nextID()
    observer.yield(statistics(self))
    if self.phase == .finished { observer.finish() } else { self.observers[id] = observer }
    return id
  }

  mutating func removeObserver(_ id: UInt64) {
    self.observers[id] = nil
  }

  /// Tells observers that something has changed.
  mutating func publish(at now: Duration, identifier: String) {
    guard !self.observers.isEmpty else { return }
    let statistics = self.statistics(at: now, identifier: identifier)
    for observer in self.observers.values { observer.yield(statistics) }
    guard self.phase == .finished else { return }
    for observer in self.observers.values { observer.finish() }
    self.observers = [:]
  }

  // MARK: Requests

  mutating func beginRequest(_ name: String, correlation: String?) throws(ShutdownError) -> UInt64 {
    if let reason = self.reason {
      self.refusedRequests += 1
      throw ShutdownError(.requestRefused, name: name, reason: reason)
    }
    let id = self.nextID()
    self.requests[id] = Request(name: name, correlation: correlation)
    return id
  }

  /// Returns whether the handler must be called now, because the request was cancelled before it came.
  mutating func setCancellation(of id: UInt64, _ cancel: @escaping @Sendable () -> Void) -> Bool {
    guard let request = self.requests[id] else { return false }
    if request.cancelled { return true }
    self.requests[id]?.cancel = cancel
    return false
  }

  /// Returns how many are left, if a shutdown is waiting for them.
  mutating func endRequest(_ id: UInt64) -> Int? {
    guard self.requests.removeValue(forKey: id) != nil, self.reason != nil else { return nil }
    return self.requests.count
  }

  /// Those still in flight, in the order they began; cancelled from now on, if so.
  mutating func overstayers(cancelling: Bool) -> [(id: UInt64, request: Request)] {
    let overstayers = self.requests.sorted { $0.key < $1.key }
    if cancelling { for (id, _) in overstayers { self.requests[id]?.cancelled = true } }
    return overstayers.map { ($0.key, $0.value) }
  }

  func isInFlight(_ id: UInt64) -> Bool { self.requests[id] != nil }

  // MARK: Clients

  mutating func addClient(_ client: any ShutdownClient) throws(ShutdownError) -> UInt64 {
    if let reason = self.reason {
      throw ShutdownError(.clientRefused, name: client.shutdownName, reason: reason)
    }
    let id = self.nextID()
    self.clients[id] = Client(client: client)
    return id
  }

  mutating func removeClient(_ id: UInt64) -> Client? {
    self.clients.removeValue(forKey: id)
  }

  func registeredClient(_ id: UInt64) -> Bool { self.clients[id] != nil }

  /// The clients in the order they were registered.
  func registeredClients() -> [(id: UInt64, client: Client)] {
    self.clients.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  mutating func countTold() { self.toldClients += 1 }

  /// The client has its outcome; returns how many have none yet.
  mutating func settled(_ id: UInt64, _ outcome: ShutdownClientOutcome) -> Int {
    self.clients[id] = nil
    self.clientCounts.count(outcome)
    return self.initialClients - self.clientCounts.total
  }

  // MARK: Cleanups

  mutating func addCleanup(
    _ name: String, timeout: Duration?, work: BoundedWork, retry: CleanupRetry?
  ) throws(ShutdownError) -> UInt64 {
    if let reason = self.reason, !self.takesCleanups {
      throw ShutdownError(.cleanupRefused, name: name, reason: reason)
    }
    let id = self.nextID()
    self.cleanups.append(Cleanup(id: id, name: name, timeout: timeout, work: work, retry: retry))
    return id
  }

  mutating func addFlush(_ name: String, timeout: Duration?, work: BoundedWork) throws(ShutdownError)
    -> UInt64
  {
    if let reason = self.reason, !self.takesFlushes {
      throw ShutdownError(.cleanupRefused, name: name, reason: reason)
    }
    let id = self.nextID()
    self.flushes.append(Cleanup(id: id, name: name, timeout: timeout, work: work, retry: nil))
    return id
  }

  mutating func removeCleanup(_ id: UInt64) {
    self.cleanups.removeAll { $0.id == id }
    self.flushes.removeAll { $0.id == id }
  }

  /// The next to run; nil when all have run, and none is taken from then on that would never run.
  mutating func nextCleanup() -> Cleanup? {
    guard let next = self.cleanups.popLast() else {
      self.takesCleanups = false
      self.current = nil
      return nil
    }
    self.current = next.name
    self.begun.append(TimeLimit(next, isFlush: false))
    return next
  }

  /// As with cleanups, but first registered first.
  mutating func nextFlush() -> Cleanup? {
    guard !self.flushes.isEmpty else {
      self.takesFlushes = false
      self.current = nil
      return nil
    }
    let next = self.flushes.removeFirst()
    self.current = next.name
    self.begun.append(TimeLimit(next, isFlush: true))
    return next
  }

  /// Whether there is something to flush; if not, nothing is taken from then on.
  mutating func beginFlushing() -> Bool {
    self.takesFlushes = !self.flushes.isEmpty
    return self.takesFlushes
  }

  mutating func cleanupRan(failed: Bool) {
    self.runCleanups += 1
    if failed { self.failedCleanups += 1 }
  }

  /// The longest that a shutdown with what is registered now can take, each at its limit.
  func longest(_ timeouts: ShutdownTimeouts) -> Duration {
    var sum = timeouts.requests + timeouts.cancelledRequests + timeouts.clients + timeouts.cancelledRequests
    for cleanup in self.cleanups { sum += TimeLimit(cleanup, isFlush: false).duration(timeouts) }
    for flush in self.flushes { sum += TimeLimit(flush, isFlush: true).duration(timeouts) }
    return sum
  }

  /// As `longest`, and what has been taken out to run since counts as well.
  func granted(_ timeouts: ShutdownTimeouts) -> Duration {
    self.begun.reduce(self.longest(timeouts)) { $0 + $1.duration(timeouts) }
  }

  /// Somebody waits to exit; returns whether the shutdown has begun, and must be watched from now on.
  mutating func beGuarded() -> Bool {
    defer { self.isGuarded = true }
    return !self.isGuarded && self.reason != nil
  }
}
