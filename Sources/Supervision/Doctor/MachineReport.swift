package import ProcCtl

/// What this machine lets procctl do, with the rights of this process.
package struct MachineReport: Sendable, Equatable {
  package var findings: [Finding]
  package var containment: ContainmentFacts

  package init(findings: [Finding], containment: ContainmentFacts) {
    self.findings = findings
    self.containment = containment
  }

  /// Whether procctl can do its work here.
  package var isUsable: Bool { self.missing.isEmpty }

  /// What is essential and not there.
  package var missing: [Finding] { self.findings.filter { $0.isEssential && $0.standing == .no } }

  /// Looks, and tries what is cheap and harmless. Blocks for some milliseconds; nothing stays.
  ///
  /// - Important: From a process with one thread: it is a subreaper for a moment.
  package static func current() -> MachineReport {
    let containment = ContainmentFacts.current()
    return MachineReport(
      findings: KernelFindings.all() + CgroupFindings.all(obstacle: containment.cgroupObstacle)
        + RightsFindings.all(containment) + SocketFindings.all() + ServiceFindings.all()
        + [RuntimeDirectoryTrial.finding()],
      containment: containment)
  }
}
