/// How the system of a master was at one moment: itself, its children, its workers' clients.
package struct SystemSnapshot: Codable, Sendable, Equatable {
  package struct Child: Codable, Sendable, Equatable {
    package var pid: Int32
    /// The letter of its state (proc(5)).
    package var state: String
    package var name: String

    package init(pid: Int32, state: String, name: String) {
      self.pid = pid
      self.state = state
      self.name = name
    }
  }

  package struct Connections: Codable, Sendable, Equatable {
    package var port: UInt16
    /// Established on it.
    package var count: Int

    package init(port: UInt16, count: Int) {
      self.port = port
      self.count = count
    }
  }

  /// In bytes.
  package var residentMemory: Int?
  /// In bytes, with shared pages divided by those who share them.
  package var proportionalMemory: Int?
  package var threads: Int?
  package var descriptors: Int?
  /// Averages of 1, 5 and 15 minutes.
  package var load: [Double] = []
  /// Workers' ports with a connection, in order.
  package var connections: [Connections] = []
  /// How many children there are, zombies among them.
  package var childCount = 0
  /// The first of them.
  package var children: [Child] = []

  /// More of them are only counted: a look at each of ten thousand takes longer than their end.
  package static let mostChildren = 32

  package init() {}

  /// In one line, for a log.
  package var summary: String {
    var parts: [String] = []
    if let bytes = self.residentMemory { parts.append("\(bytes >> 10) kB resident") }
    if let bytes = self.proportionalMemory { parts.append("\(bytes >> 10) kB proportional") }
    if let threads = self.threads { parts.append("\(threads) \(threads == 1 ? "thread" : "threads")") }
    if let descriptors = self.descriptors { parts.append("\(descriptors) descriptors") }
    if !self.load.isEmpty { parts.append("load \(self.load.map { "\($0)" }.joined(separator: " "))") }
    let clients = self.connections.map { "\($0.count) on \($0.port)" }.joined(separator: " ")
    parts.append("connections: \(clients.isEmpty ? "none" : clients)")
    let children = self.children.map { "\($0.pid) \($0.state) \($0.name)" }.joined(separator: ", ")
    let more = self.childCount - self.children.count
    parts.append(
      "children: \(children.isEmpty ? "\(self.childCount)" : children)\(more > 0 && !children.isEmpty ? " and \(more) more" : "")"
    )
    return parts.joined(separator: ", ")
  }
}
