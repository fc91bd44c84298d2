/// A cleanup that is code of the program the master runs in.
package struct ClosureCleanup: Sendable {
  package var name: String
  package var timeout: Duration
  package var body: @Sendable () throws -> Void

  package init(name: String, timeout: Duration, body: @escaping @Sendable () throws -> Void) {
    self.name = name
    self.timeout = timeout
    self.body = body
  }
}

/// One of a master's cleanups, in the order they were registered.
package enum Cleanup: Sendable {
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
