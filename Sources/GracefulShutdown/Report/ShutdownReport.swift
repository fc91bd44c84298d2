/// What a shutdown did, phase by phase.
///
/// Times are rounded to microseconds and encoded as whole microseconds.
public struct ShutdownReport: Hashable, Sendable, Codable {
  /// How a phase or a cleanup ended. New ones may be added; always have a default case.
  public struct Outcome: Hashable, Sendable, Codable, CustomStringConvertible {
    /// In words.
    public let description: String
    private init(_ description: String) { self.description = description }

    /// All of it was done in time.
    public static let completed = Outcome("completed")
    /// Time ran out; what was left was ended by force, or left behind.
    public static let timedOut = Outcome("timed out")
    /// It was over in time, but something in it failed.
    public static let failed = Outcome("failed")

    init(of failures: [Failure]) {
      self =
        failures.isEmpty ? .completed : failures.contains { $0.outcome == .timedOut } ? .timedOut : .failed
    }

    /// Decodes the words.
    public init(from decoder: any Decoder) throws {
      self.init(try decoder.singleValueContainer().decode(String.self))
    }

    /// Encodes the words.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(self.description)
    }
  }

  /// One phase: when it began after the shutdown was initiated, how long it took, and what came of it.
  public struct PhaseRecord: Hashable, Sendable, Codable {
    /// Which phase.
    public var phase: ShutdownPhase
    /// When it began, after the initiation.
    public var start: Duration
    /// How long it took.
    public var duration: Duration
    /// How it ended.
    public var outcome: Outcome
    /// How many requests, clients or cleanups there were.
    public var total: Int
    /// How many of them ended by themselves, without force or failure.
    public var completed: Int
  }

  /// One cleanup: when it began after the shutdown was initiated, how long it took, and how it ended.
  public struct CleanupRecord: Hashable, Sendable, Codable {
    /// As it was registered.
    public var name: String
    /// When it began, after the initiation.
    public var start: Duration
    /// How long it took; for one that was left behind, how long it was waited for.
    public var duration: Duration
    /// How it ended.
    public var outcome: Outcome
  }

  /// Something that did not end well, by name.
  public struct Failure: Hashable, Sendable, Codable {
    /// When it did not.
    public var phase: ShutdownPhase
    /// As it was registered.
    public var name: String
    /// Whether its time ran out or it failed.
    public var outcome: Outcome
    /// What went wrong, in words.
    public var detail: String
    /// The id by which other logs know the request, if one was given.
    public var correlation: String?
  }

  /// The correlation id that the shutdown's log lines carry.
  public var identifier: String

  /// Why the shutdown was initiated.
  public var reason: ShutdownReason
  /// The phases in the order they began.
  public var phases: [PhaseRecord] = []
  /// What became of the clients.
  public var clients = ShutdownClientCounts()
  /// The cleanups in the order they ran.
  public var cleanups: [CleanupRecord] = []
  /// Everything that had to be forced, was left behind, or threw.
  public var failures: [Failure] = []
  /// How many failed cleanups were kept to be tried again; see ``DeadLetterFile``.
  public var deadLetters = 0
  /// Requests refused because the shutdown had begun.
  public var refusedRequests = 0
  /// Further attempts to initiate the shutdown, which were ignored.
  public var refusedInitiations = 0
  /// From the initiation to the end of the last phase.
  public var duration = Duration.zero

  init(identifier: String, reason: ShutdownReason) {
    self.identifier = identifier
    self.reason = reason
  }

  /// Whether every phase completed in time and nothing failed.
  public var isClean: Bool {
    self.failures.isEmpty && self.phases.allSatisfy { $0.outcome == .completed }
  }
}
