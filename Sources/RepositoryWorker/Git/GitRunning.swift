/// What git wrote and how it ended.
package struct GitOutput: Hashable, Sendable {
  /// The exit status; nil when it was ended by a signal or a limit.
  package var status: Int32?
  package var output: [UInt8]
  package var errorText: String
  /// It wrote more than the limit and was ended; the rest is lost.
  package var isTruncated: Bool
  /// It took longer than the limit and was ended.
  package var isOverdue: Bool

  package init(
    status: Int32?, output: [UInt8] = [], errorText: String = "", isTruncated: Bool = false,
    isOverdue: Bool = false
  ) {
    self.status = status
    self.output = output
    self.errorText = errorText
    self.isTruncated = isTruncated
    self.isOverdue = isOverdue
  }
}

/// Runs git on one repository.
package protocol GitRunning: Sendable {
  /// Runs `git` with the arguments and waits for its end; a task that is cancelled ends it.
  ///
  /// - Parameter outputLimit: How many bytes of output to keep.
  /// - Throws: `GitUnavailable` when it cannot be run, `CancellationError`.
  func run(_ arguments: [String], outputLimit: Int) async throws -> GitOutput
}

/// git could not be started at all.
package struct GitUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String

  package init(_ description: String) {
    self.description = description
  }
}
