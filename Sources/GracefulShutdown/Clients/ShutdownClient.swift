/// Someone connected to the server who is told about a shutdown and then disconnected.
///
/// The methods may be called from any task. `notify` and `close` of different
/// clients run side by side, so one that hangs or throws delays no other. They
/// must not block their thread: suspend instead.
public protocol ShutdownClient: Sendable {
  /// Names the client in logs and in the report.
  var shutdownName: String { get }
  /// Tells the client that the server shuts down, while requests may still be in flight.
  func notify(_ reason: ShutdownReason) async throws
  /// Ends the connection in the protocol's own way, and returns when the client has gone; called after
  /// `notify` and after the last request. Its task is cancelled when the time for clients is over.
  func close() async throws
  /// Drops the connection at once. Called when `notify` or `close` threw or took too long; must not block.
  func abort()
}

/// Thrown by `notify` or `close` of a client that turned out to be gone already: it left, nothing failed.
public struct ShutdownClientLeft: Error, Hashable, Sendable {
  /// Creates the error.
  public init() {}
}

/// What became of a client. New outcomes may be added; always have a default case.
///
/// Every client that was registered when the shutdown was initiated has exactly one.
public struct ShutdownClientOutcome: Hashable, Sendable, CustomStringConvertible {
  private enum Value: Hashable, Sendable {
    case closed, left, dropped, overstayed
    case failed(String)
  }
  private let value: Value

  /// It was told, and its connection ended in the protocol's own way.
  public static let closed = ShutdownClientOutcome(value: .closed)
  /// It was gone before its connection had to be closed.
  public static let left = ShutdownClientOutcome(value: .left)
  /// Its time was over and it was disconnected by force.
  public static let dropped = ShutdownClientOutcome(value: .dropped)
  /// Its time was over, and it was left connected because nothing is to be forced.
  public static let overstayed = ShutdownClientOutcome(value: .overstayed)
  /// Telling or closing it threw, and it was disconnected by force.
  static func failed(_ detail: String) -> ShutdownClientOutcome {
    ShutdownClientOutcome(value: .failed(detail))
  }

  /// Whether telling or closing it threw.
  public var isFailure: Bool { self.failureDetail != nil }

  var failureDetail: String? {
    if case .failed(let detail) = self.value { detail } else { nil }
  }

  /// One word, such as `closed`.
  public var description: String {
    switch self.value {
    case .closed: "closed"
    case .left: "left"
    case .dropped: "dropped"
    case .overstayed: "overstayed"
    case .failed: "failed"
    }
  }
}

/// How many clients ended in which way.
public struct ShutdownClientCounts: Hashable, Sendable, Codable {
  /// Ended in the protocol's own way.
  public internal(set) var closed = 0
  /// Gone by themselves.
  public internal(set) var left = 0
  /// Disconnected by force when their time was over.
  public internal(set) var dropped = 0
  /// Still connected when their time was over, because nothing is to be forced.
  public internal(set) var overstayed = 0
  /// Disconnected because telling or closing them threw.
  public internal(set) var failed = 0

  /// Creates counts of zero.
  public init() {}

  /// All clients that have an outcome.
  public var total: Int { self.closed + self.left + self.dropped + self.overstayed + self.failed }

  mutating func count(_ outcome: ShutdownClientOutcome) {
    switch outcome {
    case .closed: self.closed += 1
    case .left: self.left += 1
    case .dropped: self.dropped += 1
    case .overstayed: self.overstayed += 1
    default: self.failed += 1
    }
  }
}
