extension ShutdownReport.PhaseRecord {
  private enum CodingKeys: String, CodingKey {
    case phase, startMicroseconds, durationMicroseconds, outcome, total, completed
  }

  /// Decodes a record.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.phase = try container.decode(ShutdownPhase.self, forKey: .phase)
    self.start = .microseconds(try container.decode(Int64.self, forKey: .startMicroseconds))
    self.duration = .microseconds(try container.decode(Int64.self, forKey: .durationMicroseconds))
    self.outcome = try container.decode(ShutdownReport.Outcome.self, forKey: .outcome)
    self.total = try container.decode(Int.self, forKey: .total)
    self.completed = try container.decode(Int.self, forKey: .completed)
  }

  /// Encodes the record; times as whole microseconds.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(self.phase, forKey: .phase)
    try container.encode(self.start.wholeMicroseconds, forKey: .startMicroseconds)
    try container.encode(self.duration.wholeMicroseconds, forKey: .durationMicroseconds)
    try container.encode(self.outcome, forKey: .outcome)
    try container.encode(self.total, forKey: .total)
    try container.encode(self.completed, forKey: .completed)
  }
}

extension ShutdownReport.CleanupRecord {
  private enum CodingKeys: String, CodingKey {
    case name, startMicroseconds, durationMicroseconds, outcome
  }

  /// Decodes a record.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.name = try container.decode(String.self, forKey: .name)
    self.start = .microseconds(try container.decode(Int64.self, forKey: .startMicroseconds))
    self.duration = .microseconds(try container.decode(Int64.self, forKey: .durationMicroseconds))
    self.outcome = try container.decode(ShutdownReport.Outcome.self, forKey: .outcome)
  }

  /// Encodes the record; times as whole microseconds.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(self.name, forKey: .name)
    try container.encode(self.start.wholeMicroseconds, forKey: .startMicroseconds)
    try container.encode(self.duration.wholeMicroseconds, forKey: .durationMicroseconds)
    try container.encode(self.outcome, forKey: .outcome)
  }
}

extension ShutdownReport {
  private enum CodingKeys: String, CodingKey {
    case identifier, reason, phases, clients, cleanups, failures, deadLetters, refusedRequests
    case refusedInitiations, durationMicroseconds
  }

  /// Decodes a report.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.identifier = try container.decode(String.self, forKey: .identifier)
    self.reason = try container.decode(ShutdownReason.self, forKey: .reason)
    self.phases = try container.decode([PhaseRecord].self, forKey: .phases)
    self.clients = try container.decode(ShutdownClientCounts.self, forKey: .clients)
    self.cleanups = try container.decode([CleanupRecord].self, forKey: .cleanups)
    self.failures = try container.decode([Failure].self, forKey: .failures)
    self.deadLetters = try container.decode(Int.self, forKey: .deadLetters)
    self.refusedRequests = try container.decode(Int.self, forKey: .refusedRequests)
    self.refusedInitiations = try container.decode(Int.self, forKey: .refusedInitiations)
    self.duration = .microseconds(try container.decode(Int64.self, forKey: .durationMicroseconds))
  }

  /// Encodes the report; times as whole microseconds.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(self.identifier, forKey: .identifier)
    try container.encode(self.reason, forKey: .reason)
    try container.encode(self.phases, forKey: .phases)
    try container.encode(self.clients, forKey: .clients)
    try container.encode(self.cleanups, forKey: .cleanups)
    try container.encode(self.failures, forKey: .failures)
    try container.encode(self.deadLetters, forKey: .deadLetters)
    try container.encode(self.refusedRequests, forKey: .refusedRequests)
    try container.encode(self.refusedInitiations, forKey: .refusedInitiations)
    try container.encode(self.duration.wholeMicroseconds, forKey: .durationMicroseconds)
  }
}

extension Duration {
  var wholeMicroseconds: Int64 {
    let (seconds, attoseconds) = self.components
    return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
  }

  var roundedToMicroseconds: Duration { .microseconds(self.wholeMicroseconds) }
}
