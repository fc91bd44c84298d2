/// A cleanup that is code of the program the master runs in.
struct ClosureCleanup: Sendable {
  var name: String
  var timeout: Duration
  var body: @Sendable () throws -> Void
}

/// One of a master's cleanups, in the order they were registered.
enum Cleanup: Sendable {
  case command(CleanupCommand)
  case closure(ClosureCleanup)

  var name: String {
    switch self {
    case .command(let command): command.name
    case .closure(let closure): closure.name
    }
  }

  var timeout: Duration {
    switch self {
    case .command(let command): command.timeout
    case .closure(let closure): closure.timeout
    }
  }
}
