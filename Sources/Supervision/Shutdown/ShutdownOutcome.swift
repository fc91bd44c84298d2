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

  package init() {}

  /// The most severe of what happened: 100 > 5 > 4 > 6 > 3 > 2 > 1 > 0.
  package var exitStatus: Int32 {
    if !self.internalErrors.isEmpty { return 100 }
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
    parts += self.failedCleanups.map { "cleanup \($0) failed" }
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
