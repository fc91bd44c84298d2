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
}
