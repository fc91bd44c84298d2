internal import ProcCtl

/// The ports a command answers for.
enum PortGuard {
  /// - Throws: `ProcessError` with code `.sockets` naming who has the first port that is not free.
  static func requireFree(_ ports: [UInt16]) throws(ProcessError) {
    guard let held = try self.heldPorts(ports).first else { return }
    throw ProcessError(.sockets, doing: "not started: port \(held)")
  }

  /// The ports that are not free, with who has them, as text.
  static func held(_ ports: [UInt16]) -> [String] {
    do throws(ProcessError) {
      return try self.heldPorts(ports)
    } catch {
      // What cannot be checked is not called free.
      return ports.map { "\($0): \(error)" }
    }
  }

  private static func heldPorts(_ ports: [UInt16]) throws(ProcessError) -> [String] {
    guard !ports.isEmpty else { return [] }
    let states = try PortCheck().states(of: Set(ports))
    return ports.compactMap { port in
      guard let state = states[port], !state.isFreeForReuse else { return nil }
      return "\(port) \(state)"
    }
  }

  /// Who listens on a port.
  struct Listeners {
    /// As far as they may be looked into.
    var processes: [ProcessStatus]
    /// Each by its inode, which no other socket has while it is there.
    var sockets: Set<UInt32>
  }

  static func listeners(on port: UInt16, kernel: any Kernel) throws(ProcessError) -> Listeners {
    var listeners = Listeners(processes: [], sockets: [])
    guard let facts = try PortCheck().facts(of: [port])[port] else { return listeners }
    listeners.sockets = Set(facts.entries.filter { $0.state == .listen }.map(\.inode)).subtracting([0])
    for pid in Set(listeners.sockets.flatMap { facts.owners.owners[$0] ?? [] }).sorted() {
      if let status = try kernel.status(of: pid) { listeners.processes.append(status) }
    }
    return listeners
  }

  /// The port with who has it, as text, if one of these sockets still listens there; nil if another one does,
  /// or none: whose server is started again may have it.
  static func stillListening(_ sockets: Set<UInt32>, on port: UInt16) throws(ProcessError) -> String? {
    guard let facts = try PortCheck().facts(of: [port])[port],
      facts.entries.contains(where: { $0.state == .listen && sockets.contains($0.inode) }),
      case .held(let holders) = facts.verdict
    else { return nil }
    return "\(port) \(PortState.held(holders.map { $0.described() }))"
  }
}
