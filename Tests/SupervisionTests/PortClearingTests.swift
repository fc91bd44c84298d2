import ProcCtl
import Supervision
import Testing

@Suite struct PortClearingTests {
  private static func holder(_ pid: Int32?) -> PortHolder {
    PortHolder(
      pid: pid.map { ProcessIdentifier($0) }, command: "server", uid: 33, user: "web", state: .listen,
      address: .tcp(.anyV4, port: 80))
  }

  private static func candidate(_ pid: Int32?, _ standing: PortClearing.Standing) -> PortClearing.Candidate {
    PortClearing.Candidate(holder: self.holder(pid), process: pid.map(self.process), standing: standing)
  }

  private static func process(_ pid: Int32) -> ProcessIdentity {
    ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: 7)
  }

  private func step(
    _ candidates: [PortClearing.Candidate], force: Bool = false, at moment: PortClearing.Moment = .afterEnd
  ) -> PortClearing.Step {
    var clearing = PortClearing(moment, forcesForeign: force)
    return clearing.step(.held(candidates.map(\.holder)), candidates)
  }

  @Test func whatIsFreeIsFree() {
    var clearing = PortClearing(.afterEnd, forcesForeign: true)
    #expect(clearing.step(.free, []) == .free)
    #expect(PortVerdict(.timeWait(count: 3, blocksReuse: false)) == .free)
  }

  @Test func timeWaitIsToldApart() {
    var clearing = PortClearing(.afterEnd, forcesForeign: true)
    let verdict = PortVerdict(.timeWait(count: 2, blocksReuse: true))
    #expect(
      clearing.step(verdict, [])
        == .leave("2 ended connections in TIME_WAIT, owned by no process, for 60 s at most"))
    #expect(clearing.step(.unknown("no memory"), []) == .leave("nobody can say who: no memory"))
  }

  @Test func onlyAStrayIsEndedByItself() {
    guard case .end([Self.process(7)], let who, areOurs: true) = self.step([Self.candidate(7, .stray)]) else {
      Issue.record("not ended")
      return
    }
    #expect(who == "pid 7 (server), user web, LISTEN on 0.0.0.0:80, ours")
    for standing: PortClearing.Standing in [.member(of: "beta"), .foreign, .exempt, .unknown] {
      guard case .leave(let why) = self.step([Self.candidate(7, standing)]) else {
        Issue.record("\(standing) is not left alone")
        continue
      }
      #expect(why.hasPrefix("pid 7 (server), user web, LISTEN on 0.0.0.0:80"))
    }
    #expect(
      self.step([Self.candidate(7, .foreign)])
        == .leave("pid 7 (server), user web, LISTEN on 0.0.0.0:80, not ours"))
  }

  @Test func forceReachesForeignersAndNobodyElse() {
    #expect(
      self.step([Self.candidate(7, .foreign)], force: true)
        == .end(
          [Self.process(7)], who: "pid 7 (server), user web, LISTEN on 0.0.0.0:80, not ours", areOurs: false))
    for standing: PortClearing.Standing in [.member(of: "beta"), .exempt, .unknown] {
      guard case .leave = self.step([Self.candidate(7, standing)], force: true) else {
        Issue.record("\(standing) is not left alone")
        continue
      }
    }
    guard case .leave(let why) = self.step([Self.candidate(nil, .unknown)], force: true) else {
      Issue.record("somebody is ended whom nobody knows")
      return
    }
    #expect(why.hasPrefix("an unknown process"))
  }

  @Test func forceReachesNobodyBeforeAStart() {
    let stranger = [Self.candidate(7, .foreign)]
    #expect(
      self.step(stranger, force: true, at: .beforeStart)
        == .leave("pid 7 (server), user web, LISTEN on 0.0.0.0:80, not ours"))
    guard case .end([Self.process(7)], _, areOurs: false) = self.step(stranger, force: true, at: .afterEnd)
    else {
      Issue.record("the control: nor after an end")
      return
    }
    // Ours go before a start too, and the stranger beside them stays.
    let both = stranger + [Self.candidate(8, .stray)]
    guard case .end([Self.process(8)], _, areOurs: true) = self.step(both, force: true, at: .beforeStart)
    else {
      Issue.record("ours are left")
      return
    }
  }

  @Test func whoWasLeftBeforeAStartIsEndedAfterTheEnd() {
    let stranger = [Self.candidate(7, .foreign)]
    let verdict = PortVerdict.held(stranger.map(\.holder))
    var clearing = PortClearing(.beforeStart, forcesForeign: true)
    guard case .leave = clearing.step(verdict, stranger) else {
      Issue.record("ended before a start")
      return
    }
    clearing.moment = .afterEnd
    guard case .end([Self.process(7)], _, areOurs: false) = clearing.step(verdict, stranger) else {
      Issue.record("it is taken for one that was tried")
      return
    }
  }

  @Test func oursGoFirstAndNobodyIsTriedTwice() {
    let both = [Self.candidate(8, .foreign), Self.candidate(7, .stray)]
    let verdict = PortVerdict.held(both.map(\.holder))
    var clearing = PortClearing(.afterEnd, forcesForeign: true)
    guard case .end([Self.process(7)], _, areOurs: true) = clearing.step(verdict, both),
      case .end([Self.process(8)], _, areOurs: false) = clearing.step(verdict, both),
      case .leave = clearing.step(verdict, both)
    else {
      Issue.record("another order")
      return
    }
    // The same number, and another process.
    var successor = Self.candidate(7, .stray)
    successor.process?.startTime = 8
    guard case .end = clearing.step(verdict, [successor]) else {
      Issue.record("it was taken for its predecessor")
      return
    }
  }
}
