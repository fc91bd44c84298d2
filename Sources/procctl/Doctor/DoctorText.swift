internal import ProcCtl
internal import Supervision

/// The report for people: a line for each item, in columns.
enum DoctorText {
  static func text(of report: MachineReport) -> String {
    var rows = report.findings.map { finding in
      (
        finding.area.rawValue, finding.name, finding.standing == .note ? "-" : finding.standing.rawValue,
        finding.detail
      )
    }
    for choice in DoctorRecord.containments {
      let obstacle = report.containment.obstacle(to: choice)
      rows.append(("contain", choice.rawValue, obstacle == nil ? "yes" : "no", obstacle ?? ""))
    }
    let automatic = report.containment.automatic()
    rows.append(
      ("contain", "auto", automatic == nil ? "no" : "yes", automatic?.rawValue ?? "nothing is possible"))
    let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
    var previous = ""
    return rows.map { area, name, standing, detail in
      defer { previous = area }
      let line =
        self.padded(area == previous ? "" : area, widths.0) + "  " + self.padded(name, widths.1) + "  "
        + (detail.isEmpty ? standing : self.padded(standing, 3) + "  " + detail)
      return line + "\n"
    }.joined()
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
