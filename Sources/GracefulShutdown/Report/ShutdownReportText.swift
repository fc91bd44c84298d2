extension ShutdownReport: CustomStringConvertible {
  /// One line for a log: `clean in 0.012 s (received SIGTERM): requests 2/2, clients 1/1, cleanups 3/3`.
  public var description: String {
    let counts = self.phases.map { "\($0.phase) \($0.completed)/\($0.total)" }.joined(separator: ", ")
    var line =
      "\(self.isClean ? "clean" : "not clean") in \(self.duration.secondsText) s (\(self.reason)): \(counts)"
    if !self.failures.isEmpty {
      line += "; " + self.failures.map { "\($0.name): \($0.detail)" }.joined(separator: "; ")
    }
    return line
  }

  /// A table for people, a row per phase and a line per failure, without a final newline.
  public var table: String {
    var rows = [["phase", "start", "duration", "done", "outcome"]]
    for record in self.phases {
      rows.append([
        record.phase.name, record.start.secondsText, record.duration.secondsText,
        "\(record.completed)/\(record.total)", record.outcome.description,
      ])
    }
    let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = ["shutdown: \(self.reason)"]
    for row in rows {
      let cells = row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return (1...3).contains(column) ? padding + cell : cell + padding
      }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      lines.append(line)
    }
    lines += self.failures.map { "\($0.phase): \($0.name): \($0.detail)" }
    return lines.joined(separator: "\n")
  }
}

extension Duration {
  /// Seconds with three decimals, without a unit.
  var secondsText: String {
    let milliseconds = self.wholeMicroseconds / 1000
    let fraction = String(milliseconds % 1000)
    return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
  }
}
