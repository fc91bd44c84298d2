/// What a coordinator knows. Decides only; whatever it returns is run by the caller, outside the lock.
struct ShutdownState {
  struct Request {
    var name: String
    var cancel: (@Sendable () -> Void)?
    var cancelled = false
  }

  enum ClientResult: Sendable {
    /// `notify` and `close` returned.
    case closed
    /// It was gone before it had to be closed.
    case left
    case failed(String)
  }

  struct Client {
    var client: any ShutdownClient
    var result = Promise<ClientResult>()
  }

  struct Cleanup {
    enum Body {
      case asynchronous(@Sendable () async throws -> Void)
      case blocking(@Sendable () throws -> Void)
    }

    var id: UInt64
    var name: String
    var timeout: Duration?
    var body: Body
  }

  private(set) var phase = ShutdownPhase.running
  private(set) var reason: ShutdownReason?
  private(set) var refusedRequests = 0
  private(set) var refusedInitiations = 0
  private var requests: [UInt64: Request] = [:]
  private var clients: [UInt64: Client] = [:]
  private var cleanups: [Cleanup] = []
  private var observers: [UInt64: AsyncStream<ShutdownPhase>.Continuation] = [:]
  private var lastID: UInt64 = 0

  var requestCount: Int { self.requests.count }
  var clientCount: Int { self.clients.count }

  private mutating func nextID() -> UInt64 {
    self.lastID += 1
    return self.lastID
  }

  // MARK: Phases

  /// Returns the reason already given when this is not the first attempt.
  mutating func initiate(_ reason: ShutdownReason) -> ShutdownReason? {
    if let given = self.reason {
      self.refusedInitiations += 1
      return given
    }
    self.reason = reason
    self.enter(.drainingRequests)
    return nil
  }

  mutating func enter(_ phase: ShutdownPhase) {
    self.phase = phase
    for observer in self.observers.values { observer.yield(phase) }
    if phase == .finished {
      for observer in self.observers.values { observer.finish() }
      self.observers = [:]
    }
  }

  mutating func addObserver(_ observer: AsyncStream<ShutdownPhase>.Continuation) -> UInt64 {
    let id = self.nextID()
    observer.yield(self.phase)
    if self.phase == .finished { observer.finish() } else { self.observers[id] = observer }
    return id
  }

  mutating func removeObserver(_ id: UInt64) {
    self.observers[id] = nil
  }

  // MARK: Requests

  mutating func beginRequest(_ name: String) throws(ShutdownError) -> UInt64 {
    if let reason = self.reason {
      self.refusedRequests += 1
      throw ShutdownError(.requestRefused, name: name, reason: reason)
    }
    let id = self.nextID()
    self.requests[id] = Request(name: name)
    return id
  }

  /// Returns whether the handler must be called now, because the request was cancelled before it came.
  mutating func setCancellation(of id: UInt64, _ cancel: @escaping @Sendable () -> Void) -> Bool {
    guard let request = self.requests[id] else { return false }
    if request.cancelled { return true }
    self.requests[id]?.cancel = cancel
    return false
  }

  /// Returns whether it was the last one a shutdown has been waiting for.
  mutating func endRequest(_ id: UInt64) -> Bool {
    guard self.requests.removeValue(forKey: id) != nil else { return false }
    return self.reason != nil && self.requests.isEmpty
  }

  mutating func cancelRequests() -> [(id: UInt64, name: String, cancel: (@Sendable () -> Void)?)] {
    let overstayers = self.requests.sorted { $0.key < $1.key }
    for (id, _) in overstayers { self.requests[id]?.cancelled = true }
    return overstayers.map { ($0.key, $0.value.name, $0.value.cancel) }
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

  // MARK: Cleanups

  mutating func addCleanup(
    _ name: String, timeout: Duration?, body: Cleanup.Body
  ) throws(ShutdownError) -> UInt64 {
    if let reason = self.reason, self.phase == .finished {
      throw ShutdownError(.cleanupRefused, name: name, reason: reason)
    }
    let id = self.nextID()
    self.cleanups.append(Cleanup(id: id, name: name, timeout: timeout, body: body))
    return id
  }

  mutating func removeCleanup(_ id: UInt64) {
    self.cleanups.removeAll { $0.id == id }
  }

  mutating func nextCleanup() -> Cleanup? {
    self.cleanups.popLast()
  }
}
