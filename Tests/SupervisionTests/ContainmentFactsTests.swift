import ProcCtl
import Supervision
import Testing

@Suite struct ContainmentFactsTests {
  @Test func everythingIsPossible() {
    let facts = ContainmentFacts()
    for choice in ContainmentChoice.allCases { #expect(facts.obstacle(to: choice) == nil) }
    #expect(facts.automatic() == .cgroup)
  }

  @Test func withoutCgroupsAutoTakesAGuard() {
    let facts = ContainmentFacts(cgroupObstacle: "read-only")
    #expect(facts.obstacle(to: .cgroup) == "read-only")
    #expect(facts.obstacle(to: .guardian) == nil)
    #expect(facts.automatic() == .guardian)
  }

  @Test func aPidNamespaceComesByRightsOrByAUserNamespace() {
    #expect(ContainmentFacts(pidNamespaceObstacle: "a").obstacle(to: .pidNamespace) == nil)
    #expect(ContainmentFacts(userNamespaceObstacle: "b").obstacle(to: .pidNamespace) == nil)
    let neither = ContainmentFacts(pidNamespaceObstacle: "a", userNamespaceObstacle: "b")
    #expect(neither.obstacle(to: .pidNamespace) == "a; in a user namespace: b")
    #expect(neither.automatic() == .cgroup, "it does not depend on them")
  }

  @Test func nothingWorksBlind() {
    let facts = ContainmentFacts(subreaperObstacle: "no /proc")
    for choice in ContainmentChoice.allCases { #expect(facts.obstacle(to: choice) == "no /proc") }
    #expect(facts.automatic() == nil)
  }

  @Test(arguments: [
    ("21 1 0:20 / /proc rw shared:1 - proc proc rw\n", String?.none),
    ("21 1 0:20 / /proc rw - proc proc rw,hidepid=0\n", nil),
    ("21 1 0:20 / /proc rw - proc proc rw,gid=4,hidepid=2\n", "2"),
    ("21 1 0:20 / /proc rw - proc proc rw,hidepid=invisible\n", "invisible"),
    // The later mount hides the earlier one.
    ("21 1 0:20 / /proc rw - proc proc rw,hidepid=2\n22 1 0:21 / /proc rw - proc proc rw\n", nil),
    ("21 1 0:20 / /proc rw - tmpfs x rw,hidepid=2\n22 1 0:20 / /srv/proc rw - proc proc rw,hidepid=2\n", nil),
    ("21 1 0:20 / /proc rw - proc\n", nil), ("", nil),
  ])
  func hidePid(mountinfo: String, expected: String?) {
    #expect(ProcMount.hidePid(mountinfo: mountinfo) == expected)
  }

  @Test func anEssentialGapMakesTheMachineUnusable() {
    let there = Finding(.kernel, "pidfd_open", obstacle: nil, isEssential: true)
    let gone = Finding(.proc, "/proc", obstacle: "not mounted", isEssential: true)
    let minor = Finding(.rights, "users", obstacle: "no")
    #expect(MachineReport(findings: [there, minor], containment: .init()).isUsable)
    #expect(MachineReport(findings: [there, gone], containment: .init()).missing == [gone])
  }
}
