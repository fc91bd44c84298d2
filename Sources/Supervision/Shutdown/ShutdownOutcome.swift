/// What the end of a master has left to say, and the exit status it makes.
package struct ShutdownOutcome: Sendable, Equatable {
  /// A worker that was asked needed a signal to go.
  package var signalNeeded = false
  package var killNeeded = false
  /// Clients had to be disconnected by force.
  package var clientsForced = false
  /// Ports still held: who has them.
  package var heldPorts: [String] = []
  /// Processes left, as text: who and why.
  package var survivors: [String] = []
  package var failedCleanups: [String] = []
  /// Something in ourselves broke; the workers were ended all the same.
  package var internalErrors: [String] = []

  package init() {}

  /// The most severe of what happened: 100 > 5 > 4 > 6 > 3 > 2 > 1 > 0.
  package var exitStatus: Int32 {
    if !self.internalErrors.isEmpty { return 100 }
    if !self.survivors.isEmpty { return 5 }
    if !self.heldPorts.isEmpty { return 4 }
    if !self.failedCleanups.isEmpty { return 6 }
    if self.killNeeded { return 3 }
    if self.signalNeeded { return 2 }
    return self.clientsForced ? 1 : 0
  }

  /// All of it in one line.
  package var summary: String {
    var parts: [String] = []
    if self.clientsForced { parts.append("clients were disconnected by force") }
    if self.signalNeeded { parts.append("a worker needed a signal") }
    if self.killNeeded { parts.append("a worker needed KILL") }
    parts += self.failedCleanups.map { "cleanup \($0) failed" }
    parts += self.heldPorts.map { "port \($0)" }
    parts += self.survivors.map { "survivor: \($0)" }
    parts += self.internalErrors.map { "internal error: \($0)" }
    return parts.isEmpty ? "clean" : parts.joined(separator: "; ")
  }
}
