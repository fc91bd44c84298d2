import ProcCtl
import Supervision
import SystemPackage
import Testing

@Suite struct LeftoverPlanTests {
  private let hierarchy = CgroupHierarchy(
    mountinfo: "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw".utf8,
    membership: "0::/system.slice/p.service".utf8
  )

  private func ledger(_ entries: [Ledger.Entry], cgroup: FilePath?, namespace: UInt64 = 1) -> Ledger {
    Ledger(
      header: Ledger.Header(
        master: RecordedProcess(
          identity: ProcessIdentity(processIdentifier: ProcessIdentifier(812), startTime: 5), boot: "b"),
        namespace: namespace, cgroup: cgroup, configuration: "/c"), entries: entries)
  }

  private func plan(_ ledger: Ledger, _ definitions: [WorkerDefinition] = []) -> LeftoverPlan {
    LeftoverPlan(ledger, definitions: definitions, namespace: 1, hierarchy: self.hierarchy)
  }

  private let leader = ProcessIdentity(processIdentifier: ProcessIdentifier(900), startTime: 6)

  @Test func whatFitsIsBelieved() {
    let parent: FilePath = "/sys/fs/cgroup/system.slice/p.service/procctl-812"
    let entry = Ledger.Entry(
      worker: "alpha", cookie: "alpha:1", leader: self.leader, cgroup: parent.appending("alpha.1"))
    let plan = self.plan(self.ledger([entry], cgroup: parent))
    #expect(plan.doubts.isEmpty && plan.cgroup == parent)
    #expect(plan.remains.map(\.cgroup) == [parent.appending("alpha.1"), parent])
    #expect(plan.remains.map(\.leader) == [self.leader, nil])
    #expect(plan.remains.map(\.name) == ["alpha", "what belonged to no worker"])
  }

  @Test(
    "a parent that cannot have been its own is doubted",
    arguments: [
      "/", "/sys/fs/cgroup", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/procctl-813", "procctl-812",
      "/tmp/procctl-812", "/sys/fs/cgroupx/procctl-812", "/sys/fs/cgroup/../cgroup/procctl-812",
      "/sys/fs/cgroup/x/../../../../procctl-812", "/sys/fs/cgroup/procctl-812x",
    ])
  func parents(_ path: String) {
    let plan = self.plan(self.ledger([], cgroup: FilePath(path)))
    #expect(plan.cgroup == nil && plan.doubts.count == 1 && plan.remains.isEmpty, "\(plan)")
  }

  @Test func aCgroupThatHoldsUsIsDoubted() {
    let hierarchy = CgroupHierarchy(
      mountinfo: "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw".utf8,
      membership: "0::/procctl-812/alpha.1".utf8)
    let ledger = self.ledger([], cgroup: "/sys/fs/cgroup/procctl-812")
    let plan = LeftoverPlan(ledger, definitions: [], namespace: 1, hierarchy: hierarchy)
    #expect(plan.cgroup == nil && plan.doubts.count == 1)
    let without = LeftoverPlan(ledger, definitions: [], namespace: 1, hierarchy: nil)
    #expect(without.cgroup == nil && without.doubts.count == 1)
  }

  @Test(
    "a worker's cgroup outside of its master's is doubted",
    arguments: [
      "/sys/fs/cgroup/alpha.1", "/sys/fs/cgroup/procctl-812", "/sys/fs/cgroup/procctl-812/a/b",
      "/sys/fs/cgroup/procctl-812/..", "/",
    ])
  func workers(_ path: String) {
    let entry = Ledger.Entry(worker: "alpha", cookie: "c", cgroup: FilePath(path))
    let plan = self.plan(self.ledger([entry], cgroup: "/sys/fs/cgroup/procctl-812"))
    #expect(plan.remains.first?.cgroup == nil && plan.doubts.count == 1, "\(plan)")
  }

  @Test func numbersOfAnotherPidNamespaceMeanNobody() {
    let entry = Ledger.Entry(worker: "alpha", cookie: "c", leader: self.leader)
    #expect(self.plan(self.ledger([entry], cgroup: nil, namespace: 2)).remains.map(\.leader) == [nil])
    #expect(self.plan(self.ledger([entry], cgroup: nil)).remains.map(\.leader) == [self.leader])
  }

  private func escalation(_ stop: [StopStep]) -> [Escalation.Step] {
    LeftoverPlan.escalation(for: WorkerDefinition(name: "a", command: ["a"], stop: stop)).steps
  }

  @Test func theOwnStopIsShortened() {
    let kill = Escalation.Step(.kill, wait: Escalation.killWait)
    #expect(LeftoverPlan.escalation(for: nil).steps == [.init(.terminate, wait: .seconds(3)), kill])
    #expect(self.escalation([.signal(.kill, wait: nil)]) == [kill])
    #expect(
      self.escalation([.request(method: "POST", path: "/", wait: .seconds(10))])
        == [.init(.terminate, wait: .seconds(3)), kill])
    #expect(
      self.escalation([.signal(.interrupt, wait: nil)]) == [.init(.interrupt, wait: .seconds(3)), kill])
    #expect(
      self.escalation([.signal(.interrupt, wait: .milliseconds(200))])
        == [.init(.interrupt, wait: .milliseconds(200)), kill])
    let long = self.escalation([
      .request(method: "POST", path: "/", wait: .seconds(15)), .signal(.terminate, wait: .seconds(10)),
      .signal(.interrupt, wait: .seconds(5)),
    ])
    #expect(long.map(\.signal) == [.terminate, .interrupt, .kill])
    #expect(long.dropLast().reduce(Duration.zero) { $0 + $1.wait } <= LeftoverPlan.grace)
  }
}

@Suite struct KnownWorkerSelectorTests {
  @Test func isAWorkerAndPerhapsItsMaster() {
    #expect(KnownWorker.Selector("alpha")?.master == nil)
    #expect(KnownWorker.Selector("12/alpha")?.master == "12")
    let full = KnownWorker.Selector("/etc/procctl/web.toml/alpha")
    #expect(full?.master == "/etc/procctl/web.toml" && full?.worker == "alpha")
    for text in ["", "/alpha", "web/", "/"] { #expect(KnownWorker.Selector(text[...]) == nil, "\(text)") }
  }

  @Test func aConfigurationIsNamedByTheEndOfItsPath() {
    let path = "/etc/procctl/web.toml"
    for text in ["web.toml", "procctl/web.toml", "/etc/procctl/web.toml"] {
      #expect(KnownWorker.Selector.matches(text, configuration: path), "\(text)")
    }
    for text in ["eb.toml", "/web.toml", "web", "procctl", "/procctl/web.toml"] {
      #expect(!KnownWorker.Selector.matches(text, configuration: path), "\(text)")
    }
    #expect(KnownWorker.Selector.matches("default", configuration: "default"))
  }
}
