internal import ProcCtl

/// The ports a command answers for.
enum PortGuard {
  /// - Throws: `ProcessError` with code `.sockets` naming who has the first port that is not free.
  static func requireFree(_ ports: [UInt16]) throws(ProcessError) {
    guard let held = try self.heldPorts(ports).first else { return }
    throw ProcessError(.sockets, doing: "start with port \(held)")
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

  /// The processes that listen on the port.
  static func holders(of port: UInt16, kernel: any Kernel) throws(ProcessError) -> [ProcessStatus] {
    guard case .held(let holders) = try PortCheck().state(of: port) else { return [] }
    var processes: [ProcessStatus] = []
    for pid in Set(holders.filter { $0.state == .listen }.compactMap(\.pid)) {
      if let status = try kernel.status(of: pid) { processes.append(status) }
    }
    return processes
  }
}
