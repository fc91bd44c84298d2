import ProcCtl
import Testing

@Suite struct StopSelectionTests {
  private func process(_ pid: Int32, parent: Int32, group: Int32, session: Int32, dead: Bool = false)
    -> ProcessStatus
  {
    ProcessStatus(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: UInt64(pid)), name: "p",
      state: dead ? .zombie : .sleeping, parent: ProcessIdentifier(parent),
      processGroup: ProcessIdentifier(group), session: ProcessIdentifier(session))
  }

  /// 10 leads session and group; 11 its child; 12 left the session; 13 is 12's
  /// orphan in 12's session; 14 is in 10's session but another group; 20 is innocent.
  private var processes: [ProcessStatus] {
    [
      self.process(10, parent: 2, group: 10, session: 10),
      self.process(11, parent: 10, group: 10, session: 10),
      self.process(12, parent: 11, group: 12, session: 12),
      self.process(13, parent: 1, group: 12, session: 12),
      self.process(14, parent: 1, group: 14, session: 10),
      self.process(20, parent: 1, group: 20, session: 20),
    ]
  }

  private func selected(_ scope: StopScope, target: Int) -> [Int32] {
    var selection = StopSelection(target: self.processes[target], scope: scope)
    return selection.select(from: self.processes) { _ in nil }.map(\.processIdentifier.value).sorted()
  }

  @Test func groupIsTheProcessGroup() { #expect(self.selected(.group, target: 0) == [10, 11]) }

  @Test func sessionIsTheSession() { #expect(self.selected(.session, target: 0) == [10, 11, 14]) }

  @Test func treeFollowsWhoLeftTheSession() {
    #expect(self.selected(.tree, target: 0) == [10, 11, 12, 13, 14])
  }

  @Test func treeOfAMiddleProcessLeavesItsParentAlone() {
    #expect(self.selected(.tree, target: 1) == [11, 12, 13])
  }

  @Test func whoWasSelectedStaysSelected() {
    var selection = StopSelection(target: self.processes[0], scope: .tree)
    _ = selection.select(from: self.processes) { _ in nil }
    // 10 and 11 are gone; 12 hangs below init now and nothing connects it.
    let later = [
      self.process(12, parent: 1, group: 12, session: 12),
      self.process(20, parent: 1, group: 20, session: 20),
    ]
    #expect(selection.select(from: later) { _ in nil }.map(\.processIdentifier.value) == [12])
  }

  @Test func theOrphansOfAReapedLeaderAreStillItsSession() {
    var selection = StopSelection(target: self.processes[0], scope: .tree)
    _ = selection.select(from: [self.processes[0]]) { _ in nil }
    // Born after the look, orphaned before the next: only the session connects it.
    let late = self.process(15, parent: 1, group: 15, session: 10)
    #expect(selection.select(from: [late]) { _ in nil }.map(\.processIdentifier.value) == [15])
  }

  @Test func aSessionOfAnotherThatGotTheNumberIsNot() {
    var selection = StopSelection(target: self.processes[0], scope: .tree)
    _ = selection.select(from: [self.processes[0]]) { _ in nil }
    let reused = ProcessStatus(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(10), startTime: 999), name: "innocent",
      state: .sleeping, parent: ProcessIdentifier(1), processGroup: ProcessIdentifier(10),
      session: ProcessIdentifier(10))
    let child = self.process(16, parent: 10, group: 10, session: 10)
    #expect(selection.select(from: [reused, child]) { _ in nil }.isEmpty)
  }

  @Test func aGroupWhoseLeaderHasLeftItIsTheGroupAllTheSame() {
    let leader = self.process(30, parent: 1, group: 10, session: 10)
    let target = self.process(31, parent: 30, group: 30, session: 10)
    var selection = StopSelection(target: target, scope: .group)
    #expect(selection.select(from: [leader, target]) { _ in nil } == [target])
    let late = self.process(32, parent: 31, group: 30, session: 10)
    #expect(selection.select(from: [leader, target, late]) { _ in nil } == [target, late])
    // Everybody in it has ended, the leader too, and the number is dealt out again.
    let reused = ProcessStatus(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(30), startTime: 999), name: "innocent",
      state: .sleeping, parent: ProcessIdentifier(1), processGroup: ProcessIdentifier(30),
      session: ProcessIdentifier(30))
    #expect(selection.select(from: [reused]) { _ in nil }.isEmpty)
  }

  @Test func aReusedNumberIsSomebodyElse() {
    var selection = StopSelection(target: self.processes[5], scope: .tree)
    let reused = ProcessStatus(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(20), startTime: 999), name: "innocent",
      state: .sleeping, parent: ProcessIdentifier(1), processGroup: ProcessIdentifier(20),
      session: ProcessIdentifier(20))
    #expect(selection.select(from: [reused]) { _ in nil }.isEmpty)
  }

  @Test func anAdoptedOrphanIsKnownByItsCookie() {
    let mark = StopSelection.AdoptionMark(subreaper: ProcessIdentifier(1), cookie: "mine")
    var selection = StopSelection(target: self.processes[0], scope: .tree, mark: mark)
    let found = selection.select(from: self.processes) { $0.value == 20 ? "mine" : "other" }
    #expect(found.map(\.processIdentifier.value).contains(20))
  }

  // MARK: Several roots, and reasons

  private func reasons(_ selection: StopSelection, _ processes: [ProcessStatus]) -> [Int32: String] {
    var reasons: [Int32: String] = [:]
    for process in processes {
      if let membership = selection.membership(of: process.identity) {
        reasons[process.processIdentifier.value] = "\(membership.root) \(membership.reason)"
      }
    }
    return reasons
  }

  @Test func everybodyHasAReasonAndARoot() {
    var selection = StopSelection(roots: [
      .init(target: self.processes[0]), .init(mark: .init(subreaper: nil, cookie: "b")), .init(),
    ])
    let more = [
      self.process(30, parent: 20, group: 20, session: 20),
      self.process(31, parent: 30, group: 20, session: 20),
    ]
    let all = self.processes + more + [self.process(40, parent: 1, group: 40, session: 40)]
    _ = selection.select(from: all, cgroups: [ProcessIdentifier(40): 2]) { $0.value == 30 ? "b" : nil }
    #expect(
      self.reasons(selection, all) == [
        10: "0 target", 11: "0 child of 10", 12: "0 child of 11", 13: "0 session 12", 14: "0 session 10",
        30: "1 cookie", 31: "1 child of 30", 40: "2 cgroup",
      ])
  }

  @Test func groupAndSessionAreReasonsToo() {
    var group = StopSelection(target: self.processes[0], scope: .group)
    _ = group.select(from: self.processes) { _ in nil }
    #expect(self.reasons(group, self.processes) == [10: "0 target", 11: "0 group 10"])
  }

  @Test func theSessionOfALeaderThatIsGoneIsItsOwnWhileACookieIsInIt() {
    // 50 is gone; 51 was below it, and 52 has cleared its environment.
    let left = [
      self.process(51, parent: 1, group: 50, session: 50),
      self.process(52, parent: 1, group: 50, session: 50),
    ]
    let root = StopSelection.Root(leader: ProcessIdentifier(50), mark: .init(subreaper: nil, cookie: "a"))
    var selection = StopSelection(roots: [root])
    #expect(selection.select(from: left) { $0.value == 51 ? "a" : nil }.count == 2)
    // Control: nobody in it has the cookie, and it may be an innocent's by now.
    var other = StopSelection(roots: [root])
    #expect(other.select(from: left) { _ in nil }.isEmpty)
    // Somebody has the cookie, and the session of that number is another one.
    var elsewhere = StopSelection(roots: [root])
    let apart = [self.process(51, parent: 1, group: 60, session: 60), left[1]]
    #expect(
      elsewhere.select(from: apart) { $0.value == 51 ? "a" : nil }.map(\.processIdentifier.value) == [51])
  }

  @Test func manyRootsAreOneWalk() {
    let processes = (0..<2000).map {
      self.process(1000 + $0, parent: 1, group: 1000 + $0, session: 1000 + $0)
    }
    var selection = StopSelection(
      roots: (0..<1000).map { .init(mark: .init(subreaper: nil, cookie: ByteString("\($0)"))) })
    var read = 0
    let selected = selection.select(from: processes) { pid in
      read += 1
      return ByteString("\(pid.value - 1000)")
    }
    #expect(selected.count == 1000 && read == 2000)
    #expect(selection.membership(of: processes[7].identity)?.root == 7)
  }
}
