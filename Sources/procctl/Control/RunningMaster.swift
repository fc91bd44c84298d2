internal import ProcCtl
internal import Supervision
internal import SystemPackage

/// One of several masters that run, as a person who has to choose is told of it.
struct RunningMaster {
  /// Its control socket.
  let socket: FilePath
  /// What it says of itself; nil if it does not answer.
  let status: MasterStatusSnapshot?

  /// A master that lives says so at once.
  private static let patience = Duration.seconds(2)

  /// Those that answer at the places of any configuration's control socket.
  static func all() -> [RunningMaster] {
    self.asked(ControlAddress.candidates(for: .none).compactMap { try? ControlClient(to: $0) })
  }

  /// Asks each of them who it is.
  static func asked(_ clients: [ControlClient]) -> [RunningMaster] {
    clients.map { RunningMaster(socket: $0.path, status: try? $0.masterStatus(within: self.patience)) }
  }

  /// Whether its configuration tells it from the others: not that of the embedded default, which has no file.
  private func hasName(among masters: [RunningMaster]) -> Bool {
    guard let name = self.status?.configuration, name.hasPrefix("/") else { return false }
    return masters.count { $0.status?.configuration == name } == 1
  }

  /// - Parameter argument: How the command line is given a configuration, in words.
  static func choice(among masters: [RunningMaster], argument: String) -> String {
    let isNamed = masters.contains { $0.hasName(among: masters) }
    let ways = isNamed ? "by \(argument), or by its socket with --control" : "by its socket with --control"
    let lines = masters.map { master in
      let who = master.status.map { "\($0.configuration) (pid \($0.pid))" } ?? "one that does not answer"
      return "\n  \(PrintableText.escaping(who.utf8, limit: 4096)): \(master.socket)"
    }
    return "several masters run; name one \(ways):\(lines.joined())"
  }
}
