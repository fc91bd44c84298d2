import ProcCtl
import SystemPackage
import Testing

@Suite struct AttributionTests {
  /// A kernel that knows cookies and nothing else.
  private final class CookieKernel: Kernel {
    var cookies: [ProcessIdentifier: ByteString] = [:]
    var now: MonotonicInstant { MonotonicInstant(nanoseconds: 0) }
    let selfIdentifier = ProcessIdentifier(1)
    func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
      throw ProcessError(.spawn, doing: "")
    }
    func status(of process: ProcessIdentifier) -> ProcessStatus? { nil }
    func children(of process: ProcessIdentifier) -> [ProcessIdentifier] { [] }
    func allProcesses() -> [ProcessStatus] { [] }
    func cookie(of process: ProcessIdentifier) -> ByteString? { self.cookies[process] }
    func peekExit(of child: ProcessIdentifier) -> TerminationStatus? { nil }
    func peekAnyExit() -> AnyChildExit { .noChildren }
    func reap(_ child: ProcessIdentifier) -> TerminationStatus? { nil }
    func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery { .gone }
    func send(_ signal: Signal, toGroupOf child: ProcessIdentifier) throws(ProcessError) -> SignalDelivery {
      .gone
    }
  }

  private func process(_ pid: Int32, parent: Int32, group: Int32, session: Int32) -> ProcessStatus {
    ProcessStatus(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: UInt64(pid)), name: "p",
      state: .sleeping, parent: ProcessIdentifier(parent), processGroup: ProcessIdentifier(group),
      session: ProcessIdentifier(session))
  }

  private func owners(_ result: Attribution<String>.Result) -> [Int32: String] {
    var owners: [Int32: String] = [:]
    for (owner, members) in result.members {
      for member in members { owners[member.processIdentifier.value] = owner }
    }
    return owners
  }

  @Test func byLeaderLineageSessionGroupAndCookie() throws {
    let kernel = CookieKernel()
    kernel.cookies[ProcessIdentifier(40)] = "b-cookie"
    var attribution = Attribution<String>()
    attribution.add(leader: ProcessIdentifier(10), owner: "a")
    attribution.add(leader: ProcessIdentifier(20), owner: "b")
    attribution.add(cookie: "b-cookie", owner: "b")
    let result = try attribution.attribute(
      [
        self.process(10, parent: 1, group: 10, session: 10),
        self.process(20, parent: 1, group: 20, session: 20),
        // Left everything but its parent.
        self.process(11, parent: 10, group: 11, session: 11),
        // Orphans: in the session, in the group only, and known by nothing but the cookie.
        self.process(30, parent: 1, group: 30, session: 10),
        self.process(31, parent: 1, group: 20, session: 31),
        self.process(40, parent: 1, group: 40, session: 40),
        self.process(50, parent: 1, group: 50, session: 50),
      ], kernel: kernel)
    #expect(self.owners(result) == [10: "a", 11: "a", 30: "a", 20: "b", 31: "b", 40: "b"])
    #expect(result.unattributed.map(\.processIdentifier.value) == [50])
  }

  @Test func whatWasFoundOnceIsRemembered() throws {
    let kernel = CookieKernel()
    var attribution = Attribution<String>()
    attribution.add(leader: ProcessIdentifier(10), owner: "a")
    _ = try attribution.attribute(
      [
        self.process(10, parent: 1, group: 10, session: 10),
        self.process(11, parent: 10, group: 11, session: 11),
      ], kernel: kernel)
    attribution.remove(leader: ProcessIdentifier(10))
    let result = try attribution.attribute(
      [self.process(11, parent: 1, group: 11, session: 11)], kernel: kernel)
    #expect(self.owners(result) == [11: "a"])
  }

  @Test func whoWasSeenBelowALeaderIsItsOwnersAsAnOrphan() throws {
    var attribution = Attribution<String>()
    attribution.add(leader: ProcessIdentifier(10), owner: "a")
    let orphans = [
      self.process(11, parent: 1, group: 11, session: 11),
      self.process(12, parent: 1, group: 12, session: 12),
    ]
    attribution.remember(
      [
        self.process(10, parent: 1, group: 10, session: 10),
        self.process(11, parent: 10, group: 11, session: 11),
      ], owner: "a")
    #expect(self.owners(try attribution.attribute(orphans, kernel: CookieKernel())) == [11: "a"])
    // Nobody is kept in mind for a leader that is given up.
    var released = attribution
    released.remove(leader: ProcessIdentifier(10))
    #expect(
      self.owners(
        try released.attribute(
          [self.process(13, parent: 1, group: 13, session: 13)], kernel: CookieKernel())
      )
      .isEmpty)
  }

  @Test func aReleasedLeadersNumberMeansNothing() throws {
    var attribution = Attribution<String>()
    attribution.add(leader: ProcessIdentifier(10), owner: "a")
    attribution.remove(leader: ProcessIdentifier(10))
    let result = try attribution.attribute(
      [self.process(10, parent: 1, group: 10, session: 10)], kernel: CookieKernel())
    #expect(result.members.isEmpty)
  }
}
