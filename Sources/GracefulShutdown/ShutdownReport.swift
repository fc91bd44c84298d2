/// What a shutdown did, phase by phase.
///
/// Times are rounded to microseconds and encoded as whole microseconds.
public struct ShutdownReport: Hashable, Sendable, Codable {
  /// How a phase or a cleanup ended. New ones may be added; always have a default case.
  public struct Outcome: Hashable, Sendable, Codable, CustomStringConvertible {
    public let description: String
    private init(_ description: String) { self.description = description }

    /// All of it was done in time.
    public static let completed = Outcome("completed")
    /// Time ran out; what was left was ended by force, or left behind.
    public static let timedOut = Outcome("timed out")
    /// It was over in time, but something in it failed.
    public static let failed = Outcome("failed")

    public init(from decoder: any Decoder) throws {
      self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(self.description)
    }
  }

  /// One phase: when it began after the shutdown was initiated, how long it took, and what came of it.
  public struct PhaseRecord: Hashable, Sendable, Codable {
    public var phase: ShutdownPhase
    public var start: Duration
    public var duration: Duration
    public var outcome: Outcome
    /// How many requests, clients or cleanups there were.
    public var total: Int
    /// How many of them ended by themselves, without force or failure.
    public var completed: Int
  }

  /// Something that did not end well, by name.
  public struct Failure: Hashable, Sendable, Codable {
    public var phase: ShutdownPhase
    public var name: String
    public var outcome: Outcome
    /// What went wrong, in words.
    public var detail: String
  }

  /// Why the shutdown was initiated.
  public var reason: ShutdownReason
  /// The phases in the order they began.
  public var phases: [PhaseRecord]
  /// Everything that had to be forced, was left behind, or threw.
  public var failures: [Failure]
  /// Requests refused because the shutdown had begun.
  public var refusedRequests: Int
  /// Further attempts to initiate the shutdown, which were ignored.
  public var refusedInitiations: Int
  /// From the initiation to the end of the last phase.
  public var duration: Duration

  /// Whether every phase completed in time and nothing failed.
  public var isClean: Bool {
    self.failures.isEmpty && self.phases.allSatisfy { $0.outcome == .completed }
  }
}

extension ShutdownReport.PhaseRecord {
  private enum CodingKeys: String, CodingKey {
    case phase, startMicroseconds, durationMicroseconds, outcome, total, completed
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.phase = try container.decode(ShutdownPhase.self, forKey: .phase)
    self.start = .microseconds(try container.decode(Int64.self, forKey: .startMicroseconds))
    self.duration = .microseconds(try container.decode(Int64.self, forKey: .durationMicroseconds))
    self.outcome = try container.decode(ShutdownReport.Outcome.self, forKey: .outcome)
    self.total = try container.decode(Int.self, forKey: .total)
    self.completed = try container.decode(Int.self, forKey: .completed)
  }

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

extension ShutdownReport {
  private enum CodingKeys: String, CodingKey {
    case reason, phases, failures, refusedRequests, refusedInitiations, durationMicroseconds
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.reason = try container.decode(ShutdownReason.self, forKey: .reason)
    self.phases = try container.decode([PhaseRecord].self, forKey: .phases)
    self.failures = try container.decode([Failure].self, forKey: .failures)
    self.refusedRequests = try container.decode(Int.self, forKey: .refusedRequests)
    self.refusedInitiations = try container.decode(Int.self, forKey: .refusedInitiations)
    self.duration = .microseconds(try container.decode(Int64.self, forKey: .durationMicroseconds))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(self.reason, forKey: .reason)
    try container.encode(self.phases, forKey: .phases)
    try container.encode(self.failures, forKey: .failures)
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
