/// Who listens on which port, strangers among them.
final class SimulatedPorts {
  private var listeners: [UInt16: SimulatedProcess] = [:]
  private var foreign: Set<UInt16> = []

  func listener(on port: UInt16) -> SimulatedProcess? { self.listeners[port] }

  func holder(of port: UInt16) -> String? {
    self.foreign.contains(port) ? "a stranger" : self.listeners[port].map { "pid \($0.identity)" }
  }

  /// Binds the port for the process; false if somebody has it.
  func listen(_ process: SimulatedProcess, on port: UInt16) -> Bool {
    guard self.holder(of: port) == nil else { return false }
    process.port = port
    self.listeners[port] = process
    return true
  }

  func close(_ process: SimulatedProcess) {
    if let port = process.port { self.listeners[port] = nil }
    process.port = nil
  }

  /// A stranger binds the port; false if somebody has it.
  func steal(_ port: UInt16) -> Bool {
    guard self.holder(of: port) == nil else { return false }
    self.foreign.insert(port)
    return true
  }

  func giveBack(_ port: UInt16) { self.foreign.remove(port) }
}
