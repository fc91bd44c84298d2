/// Where a server stands at one moment, before, during or after its shutdown.
public struct ShutdownStatistics: Hashable, Sendable, Codable {
  /// The correlation id that the shutdown's log lines carry.
  public internal(set) var identifier: String
  /// What the server is doing.
  public internal(set) var phase: ShutdownPhase
  /// Why it shuts down; nil as long as it serves.
  public internal(set) var reason: ShutdownReason?
  /// Since the shutdown was initiated; zero before.
  public internal(set) var elapsed: Duration
  /// Requests that have begun and not ended.
  public internal(set) var requestsInFlight: Int
  /// Requests refused because the shutdown had begun.
  public internal(set) var refusedRequests: Int
  /// Further attempts to initiate the shutdown, which were ignored.
  public internal(set) var refusedInitiations: Int
  /// Clients that are registered and have no outcome.
  public internal(set) var clientsConnected: Int
  /// Clients whose telling is done.
  public internal(set) var clientsTold: Int
  /// What became of the others.
  public internal(set) var clients: ShutdownClientCounts
  /// Cleanups that have not begun.
  public internal(set) var cleanupsWaiting: Int
  /// Cleanups that are over, one way or another.
  public internal(set) var cleanupsRun: Int
  /// Cleanups among those that threw or took too long.
  public internal(set) var cleanupsFailed: Int
  /// The cleanup or flush hook that runs now.
  public internal(set) var current: String?

  private enum CodingKeys: String, CodingKey {
    case identifier, phase, reason, elapsed = "elapsedMicroseconds", requestsInFlight, refusedRequests
    case refusedInitiations
    case clientsConnected, clientsTold, clients, cleanupsWaiting, cleanupsRun, cleanupsFailed, current
  }
}

extension ShutdownStatistics: CustomStringConvertible {
  /// One line for people: `clients after 1.204 s: 0 requests, 3 clients, 2 cleanups left`.
  public var description: String {
    "\(self.phase) after \(self.elapsed.secondsText) s: \(self.requestsInFlight) requests, "
      + "\(self.clientsConnected) clients, \(self.cleanupsWaiting) cleanups left"
      + (self.current.map { "; \($0) runs" } ?? "")
  }
}

extension ShutdownStatistics {
  /// Decodes statistics.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.identifier = try container.decode(String.self, forKey: .identifier)
    self.phase = try container.decode(ShutdownPhase.self, forKey: .phase)
    self.reason = try container.decodeIfPresent(ShutdownReason.self, forKey: .reason)
    self.elapsed = .microseconds(try container.decode(Int64.self, forKey: .elapsed))
    self.requestsInFlight = try container.decode(Int.self, forKey: .requestsInFlight)
    self.refusedRequests = try container.decode(Int.self, forKey: .refusedRequests)
    self.refusedInitiations = try container.decode(Int.self, forKey: .refusedInitiations)
    self.clientsConnected = try container.decode(Int.self, forKey: .clientsConnected)
    self.clientsTold = try container.decode(Int.self, forKey: .clientsTold)
    self.clients = try container.decode(ShutdownClientCounts.self, forKey: .clients)
    self.cleanupsWaiting = try container.decode(Int.self, forKey: .cleanupsWaiting)
    self.cleanupsRun = try container.decode(Int.self, forKey: .cleanupsRun)
    self.cleanupsFailed = try container.decode(Int.self, forKey: .cleanupsFailed)
    self.current = try container.decodeIfPresent(String.self, forKey: .current)
  }

  /// Encodes statistics; times as whole microseconds.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(self.identifier, forKey: .identifier)
    try container.encode(self.phase, forKey: .phase)
    try container.encodeIfPresent(self.reason, forKey: .reason)
    try container.encode(self.elapsed.wholeMicroseconds, forKey: .elapsed)
    try container.encode(self.requestsInFlight, forKey: .requestsInFlight)
    try container.encode(self.refusedRequests, forKey: .refusedRequests)
    try container.encode(self.refusedInitiations, forKey: .refusedInitiations)
    try container.encode(self.clientsConnected, forKey: .clientsConnected)
    try container.encode(self.clientsTold, forKey: .clientsTold)
    try container.encode(self.clients, forKey: .clients)
    try container.encode(self.cleanupsWaiting, forKey: .cleanupsWaiting)
    try container.encode(self.cleanupsRun, forKey: .cleanupsRun)
    try container.encode(self.cleanupsFailed, forKey: .cleanupsFailed)
    try container.encodeIfPresent(self.current, forKey: .current)
  }
}
