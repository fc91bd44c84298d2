internal import ProcCtl
internal import Supervision

/// A master's status for people.
enum StatusText {
  static func text(of master: MasterStatusSnapshot) -> String {
    var text = "\(master.configuration) (pid \(master.pid)): \(master.status)\n"
    if let stop = master.stop {
      let left = max(stop.budget_seconds - stop.seconds, 0)
      text += "\(stop.reason); since \(self.time(stop.seconds)), at most \(self.time(left)) more\n"
    }
    var rows = [["WORKER", "STATE", "PID", "PORT", "CLIENTS", "RESTARTS", "SINCE", ""]]
    for worker in master.workers {
      rows.append([
        worker.name, worker.step.map { "\(worker.state) (\($0))" } ?? worker.state,
        worker.pid.map { "\($0)" } ?? "-", worker.port.map { "\($0)" } ?? "-",
        worker.clients.map { "\($0)" } ?? "-", "\(worker.restarts)", self.time(worker.seconds),
        worker.trouble ?? "",
      ])
    }
    return text + self.table(rows)
  }

  /// Columns as wide as their widest cell; the last as it comes.
  private static func table(_ rows: [[String]]) -> String {
    let count = rows.first?.count ?? 0
    let widths = (0..<count).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        column == count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
      }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }

  /// The two units that matter: `4s`, `2m 5s`, `3h 7m`, `12d 4h`.
  static func time(_ seconds: Double) -> String {
    let whole = Int(min(max(seconds, 0), 1e9))
    switch whole {
    case ..<60: return "\(whole)s"
    case ..<3600: return "\(whole / 60)m \(whole % 60)s"
    case ..<86_400: return "\(whole / 3600)h \(whole / 60 % 60)m"
    default: return "\(whole / 86_400)d \(whole / 3600 % 24)h"
    }
  }
}
