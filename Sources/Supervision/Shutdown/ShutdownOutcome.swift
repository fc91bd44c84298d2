/// What the end of a master has left to say, and the exit status it makes.
package struct ShutdownOutcome: Sendable, Equatable {
  /// Workers that were asked and needed a signal to go.
  package var signalled: [String] = []
  /// Workers that needed KILL.
  package var killed: [String] = []
  /// Clients had to be disconnected by force.
  package var clientsForced = false
  /// Ports still held: who has them.
  package var heldPorts: [String] = []
  /// Processes left, as text: who and why.
  package var survivors: [String] = []
  package var failedCleanups: [String] = []
  /// Something in ourselves broke; the workers were ended all the same.
  package var internalErrors: [String] = []
  /// The gravest of them.
  package var internalFailure = InternalFailure.any

  /// What an internal error means for the workers, and the exit status that says so.
  package enum InternalFailure: Int32, Sendable, Comparable {
    /// They were ended step by step, as always.
    case any = 100
    /// The event loop failed; they were ended step by step all the same.
    case eventLoop = 101
    /// There was nothing left to wait with; they were killed without being asked.
    case abandoned = 102

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  package init() {}

  package mutating func failed(_ description: String, _ failure: InternalFailure = .any) {
    self.internalErrors.append(description)
    self.internalFailure = max(self.internalFailure, failure)
  }

  /// The most severe of what happened: 100 and above > 5 > 4 > 6 > 3 > 2 > 1 > 0.
  package var exitStatus: Int32 {
    if !self.internalErrors.isEmpty { return self.internalFailure.rawValue }
    if !self.survivors.isEmpty { return 5 }
    if !self.heldPorts.isEmpty { return 4 }
    if !self.failedCleanups.isEmpty { return 6 }
    if !self.killed.isEmpty { return 3 }
    if !self.signalled.isEmpty { return 2 }
    return self.clientsForced ? 1 : 0
  }

  /// All of it in one line.
  package var summary: String {
    var parts: [String] = []
    if self.clientsForced { parts.append("clients were disconnected by force") }
    if !self.signalled.isEmpty { parts.append("\(Self.list(self.signalled)) needed a signal") }
    if !self.killed.isEmpty { parts.append("\(Self.list(self.killed)) needed KILL") }
    parts += self.failedCleanups.map { "cleanup failed: \($0)" }
    parts += self.heldPorts.map { "port \($0)" }
    parts += self.survivors.map { "survivor: \($0)" }
    parts += self.internalErrors.map { "internal error: \($0)" }
    return parts.isEmpty ? "clean" : parts.joined(separator: "; ")
  }

  /// The first few by name, the rest by number.
  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(5).joined(separator: ", ")
    return names.count > 5 ? "\(shown) and \(names.count - 5) more" : shown
  }
}
