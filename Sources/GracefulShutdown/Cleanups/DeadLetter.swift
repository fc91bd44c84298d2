internal import FoundationEssentials

/// How a cleanup that failed can be made up for later.
public struct CleanupRetry: Sendable {
  /// The name under which the next start registers what makes up for it.
  public let handler: String
  let payload: @Sendable () -> String

  /// Creates it.
  ///
  /// - Parameters:
  ///   - handler: The name that ``DeadLetterFile/handle(_:_:)`` is given.
  ///   - payload: What the handler needs to know, made when the cleanup has failed, on a thread of its
  ///     own. It ends up in a file: no secrets.
  public init(handler: String, payload: @escaping @autoclosure @Sendable () -> String) {
    self.handler = handler
    self.payload = payload
  }
}

/// A cleanup that failed, kept to be tried again: what, why, when, and with which payload.
public struct DeadLetter: Hashable, Sendable, Codable, Identifiable {
  /// Unlike any other letter's.
  public let id: String
  /// The name of the cleanup that failed.
  public let cleanup: String
  /// The name of the handler that can make up for it.
  public let handler: String
  /// What the handler is given.
  public let payload: String
  /// Why the last attempt failed, in words.
  public internal(set) var failure: String
  /// When the last attempt failed: UTC, as in `2026-03-01T12:00:00Z`.
  public internal(set) var failedAt: String
  /// How many attempts failed, the shutdown's included.
  public internal(set) var attempts: Int
  /// The id of the shutdown that it failed in.
  public let shutdown: String

  /// Creates a letter for a first failure, now.
  public init(cleanup: String, handler: String, payload: String, failure: String, shutdown: String = "") {
    self.id = String(UInt64.random(in: .min ... .max), radix: 36)
    self.cleanup = cleanup
    self.handler = handler
    self.payload = payload
    self.failure = failure
    self.failedAt = DeadLetter.now()
    self.attempts = 1
    self.shutdown = shutdown
  }

  mutating func failedAgain(_ failure: String) {
    self.failure = failure
    self.failedAt = DeadLetter.now()
    self.attempts += 1
  }

  // When something happened is for people to read, and takes part in no decision.
  private static func now() -> String { Date.now.formatted(.iso8601) }
}

/// What came of trying kept cleanups again.
public struct DeadLetterRetry: Hashable, Sendable {
  /// Made up for, and gone from the file.
  public internal(set) var succeeded: [DeadLetter] = []
  /// Failed again; kept, with one more attempt and the new failure.
  public internal(set) var failed: [DeadLetter] = []
  /// Kept as they were, for no handler of that name is registered.
  public internal(set) var unhandled: [DeadLetter] = []
  /// Lines of the file that could not be read, such as one torn by a crash. They are dropped with the
  /// next change of the file.
  public internal(set) var damagedLines = 0
}

/// The file of failed cleanups could not be used. The description is one line for people.
public struct DeadLetterError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of error. New codes may be added; always have a default case.
  public struct Code: Hashable, Sendable {
    private enum Value: Hashable, Sendable { case inaccessible, full, busy, notThisFile }
    private let value: Value

    /// A system call failed.
    public static let inaccessible = Code(value: .inaccessible)
    /// The file has reached its limit; nothing was written.
    public static let full = Code(value: .full)
    /// Somebody else is trying its letters again.
    public static let busy = Code(value: .busy)
    /// What is there is no file of dead letters: no regular file, or far over the limit.
    public static let notThisFile = Code(value: .notThisFile)
  }

  /// What kind of error it is.
  public var code: Code
  /// One line that says what is wrong.
  public var description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
