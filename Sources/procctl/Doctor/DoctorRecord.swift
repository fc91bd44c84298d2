internal import ProcCtl
internal import Supervision

/// The report for programs.
struct DoctorRecord: Encodable {
  struct Item: Encodable {
    var area: String
    var name: String
    /// Null for what is neither there nor missing.
    var available: Bool?
    var detail: String?
    var essential: Bool
  }

  struct Containment: Encodable {
    var available: Bool
    var why_not: String?
  }

  static let containments: [ContainmentChoice] = [.cgroup, .guardian, .session, .pidNamespace]

  var usable: Bool
  var kernel: String
  var items: [Item]
  var containments: [String: Containment]
  var automatic: String?

  init(_ report: MachineReport) {
    self.usable = report.isUsable
    self.kernel = KernelFindings.release
    self.items = report.findings.map { finding in
      Item(
        area: finding.area.rawValue, name: finding.name,
        available: finding.standing == .note ? nil : finding.standing == .yes,
        detail: finding.detail.isEmpty ? nil : finding.detail, essential: finding.isEssential)
    }
    self.containments = [:]
    for choice in DoctorRecord.containments {
      let obstacle = report.containment.obstacle(to: choice)
      self.containments[choice.rawValue] = Containment(available: obstacle == nil, why_not: obstacle)
    }
    self.automatic = report.containment.automatic()?.rawValue
  }
}
