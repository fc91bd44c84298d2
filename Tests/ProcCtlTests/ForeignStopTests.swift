import ProcCtl
import Testing

@Suite struct ForeignStopTests {
  private func process(_ pid: Int32, parent: Int32, session: Int32) -> ProcessStatus {
    ProcessStatus(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: UInt64(pid)), name: "p",
      state: .running, parent: ProcessIdentifier(parent), processGroup: ProcessIdentifier(session),
      session: ProcessIdentifier(session))
  }

  /// Who is found at the looks that follow each other, the first of which sees a process and its session.
  private func found(then looks: [[ProcessStatus]]) throws -> [[Int32]] {
    let target = self.process(10, parent: 1, session: 10)
    var tables = [[target, self.process(11, parent: 10, session: 11)]] + looks
    let stop = ForeignStop(
      loop: try EventLoop(), parts: [ForeignStop.Part(StopSelection(target: target, scope: .tree))],
      processTable: { tables.isEmpty ? [] : tables.removeFirst() })
    var found: [[Int32]] = []
    while !tables.isEmpty { found.append(try stop.members().map(\.processIdentifier.value)) }
    return found
  }

  /// A storm has moved on from all that were listed; whoever is there by now has only the session left.
  @Test func aLookThatSawNobodyDoesNotForgetTheSession() throws {
    let later = self.process(99, parent: 1, session: 11)
    #expect(try self.found(then: [[], [later]]) == [[10, 11], [99]])
  }

  @Test func nobodyTwiceIsNobody() throws {
    #expect(try self.found(then: [[], []]) == [[10, 11], []])
  }

  /// Its number is that of a session we know, but whoever leads it now is a stranger.
  @Test func anInnocentWithTheNumberOfTheSessionIsLeftAlone() throws {
    let stranger = self.process(99, parent: 1, session: 11)
    let leader = ProcessStatus(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(11), startTime: 4711), name: "p",
      state: .running, parent: ProcessIdentifier(1), processGroup: ProcessIdentifier(11),
      session: ProcessIdentifier(11))
    #expect(try self.found(then: [[], [leader, stranger]]) == [[10, 11], []])
  }

  /// Who is found of a part of which that much can be said, with these processes.
  private func found(_ standing: ForeignStop.Standing, _ table: [ProcessStatus]) throws -> [Int32] {
    let target = self.process(10, parent: 1, session: 10)
    let part = ForeignStop.Part(StopSelection(target: target, scope: .tree), standing: { standing })
    let stop = ForeignStop(loop: try EventLoop(), parts: [part], processTable: { table })
    return try stop.members().map(\.processIdentifier.value)
  }

  @Test func whatCannotBeToldIsAnErrorOnlyIfSomebodyIsThere() throws {
    let somebody = [self.process(10, parent: 1, session: 10)]
    let why = ProcessError(.runtimeDirectory, doing: "tell")
    #expect(try self.found(.goesOn, somebody) == [10])
    #expect(try self.found(.over, somebody) == [])
    #expect(throws: why) { try self.found(.unknown(why), somebody) }
    #expect(try self.found(.unknown(why), []) == [])
  }
}
