import ProcCtl
import Supervision
import Testing

@Suite struct MasterPrivilegesTests {
  private let allowance = MasterPrivileges.Allowance(
    user: 500, hardLimits: [Self.resource("nofile"): 4096], nice: 0,
    outOfMemoryScore: 0)

  private static func resource(_ name: String) -> Resource {
    guard let resource = Resource(name: name) else { preconditionFailure("no limit \(name)") }
    return resource
  }

  private func kept(port: UInt16? = nil, _ change: (inout ChildSetup) -> Void) -> [String] {
    var setup = ChildSetup()
    change(&setup)
    return MasterPrivileges(
      for: [.init(name: "alpha", port: port, setup: setup)], beyond: self.allowance
    ).capabilities.names
  }

  @Test func plainWorkersTakeTheSignalsAlone() {
    #expect(MasterPrivileges(for: [], beyond: self.allowance).capabilities.names == ["kill"])
    #expect(self.kept { _ in } == ["kill"])
    #expect(
      self.kept(port: 8080) {
        $0.noNewPrivileges = true
        $0.umask = 0o027
      } == ["kill"])
  }

  @Test func anotherUserTakesBothChangesAndALookInside() {
    #expect(
      self.kept { $0.credentials = .init(user: 501, group: 501) }
        == ["dac_read_search", "kill", "setgid", "setuid", "sys_ptrace"])
  }

  @Test func ourOwnUserTakesItsGroupsAlone() {
    #expect(self.kept { $0.credentials = .init(user: 500, group: 33) } == ["kill", "setgid"])
  }

  @Test func capabilitiesTakeThemselvesAndTheRightToLimitThem() throws {
    let asked = try CapabilitySet(names: ["net_bind_service", "sys_nice"])
    #expect(
      self.kept { $0.capabilities = asked } == ["kill", "setpcap", "net_bind_service", "sys_nice"])
    #expect(self.kept { $0.capabilities = CapabilitySet.none } == ["kill", "setpcap"])
  }

  @Test(
    arguments: [
      (UInt64?.some(4096), "nofile", false), (4097, "nofile", true), (nil, "nofile", true),
      (nil, "core", false),
    ] as [(UInt64?, String, Bool)])
  func limitsAboveOurOwn(hard: UInt64?, name: String, takes: Bool) {
    let kept = self.kept { $0.limits = [.init(Self.resource(name), soft: 1, hard: hard)] }
    #expect(kept.contains("sys_resource") == takes)
  }

  @Test(arguments: [(-1, true), (0, false), (1000, false)])
  func lowerScores(score: Int, takes: Bool) {
    #expect(self.kept { $0.outOfMemoryScore = Int32(score) }.contains("sys_resource") == takes)
  }

  @Test(arguments: [(-1, true), (0, false), (19, false)])
  func lowerNiceness(nice: Int, takes: Bool) {
    #expect(self.kept { $0.nice = Int32(nice) }.contains("sys_nice") == takes)
  }

  @Test func lowPortsTakeTheRightToBindThem() {
    #expect(self.kept(port: 1023) { _ in } == ["kill", "net_bind_service"])
    #expect(self.kept(port: 1024) { _ in } == ["kill"])
  }

  @Test func whatIsNotThereIsNamedWithItsWorker() throws {
    var setup = ChildSetup()
    setup.credentials = .init(user: 501, group: 501)
    let privileges = MasterPrivileges(for: [.init(name: "alpha", setup: setup)], beyond: self.allowance)
    let held = try CapabilitySet(names: ["kill", "setgid"])
    #expect(
      privileges.unmet(holding: held).map(\.description) == [
        "setuid (worker \"alpha\", user)",
        "dac_read_search, sys_ptrace (worker \"alpha\", user: /proc/PID/fd and environ of other users)",
      ])
    #expect(privileges.unmet(holding: privileges.capabilities).isEmpty)
  }

  @Test func needsOfAllWorkersAddUp() throws {
    var first = ChildSetup()
    first.nice = -1
    var second = ChildSetup()
    second.capabilities = try CapabilitySet(names: ["chown"])
    let privileges = MasterPrivileges(
      for: [.init(name: "a", setup: first), .init(name: "b", setup: second)], beyond: self.allowance)
    #expect(privileges.capabilities.names == ["chown", "kill", "setpcap", "sys_nice"])
  }
}
