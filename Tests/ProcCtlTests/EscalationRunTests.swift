import ProcCtl
import Testing

@Suite struct EscalationRunTests {
  private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

  private func after(_ duration: Duration) -> MonotonicInstant { self.start.advanced(by: duration) }

  /// Looks whenever it is asked to, from one instant after the start to another or until it is given up.
  /// Returns when the next look would be, or when it was given up.
  private func look(
    _ run: inout EscalationRun<Never>, from first: Duration, to last: Duration = .seconds(100),
    living: (Duration) -> Int? = { _ in nil }
  ) -> Duration {
    var now = first
    while now < last {
      if let living = living(now) { run.saw(living: living, at: self.after(now)) }
      guard case .wait(let next) = run.timeReached(at: self.after(now)).last else { break }
      now = self.start.duration(to: next)
    }
    return now
  }

  @Test func takesEachStepWhenTheTimeOfTheLastIsOver() {
    var run = EscalationRun<Never>(
      Escalation(steps: [
        .init(.terminate, wait: .seconds(5)), .init(.interrupt, wait: .seconds(1)),
        .init(.kill, wait: .seconds(2)),
      ]))
    #expect(run.start(at: self.start) == [.signal(.terminate), .wait(until: self.after(.seconds(5)))])
    #expect(run.timeReached(at: self.after(.seconds(4))) == [.wait(until: self.after(.seconds(5)))])
    #expect(
      run.timeReached(at: self.after(.seconds(5))) == [
        .signal(.interrupt), .wait(until: self.after(.seconds(6))),
      ])
    #expect(run.timeReached(at: self.after(.seconds(6))).first == .signal(.kill))
    #expect(run.isKilling)
    #expect(self.look(&run, from: .seconds(6)) == .seconds(8))
    #expect(run.hasExpired)
    #expect(run.timeReached(at: self.after(.seconds(9))) == [])
  }

  @Test func appendsKill() {
    #expect(Escalation(steps: [.init(.terminate, wait: .zero)]).steps.last?.signal == .kill)
    #expect(Escalation.standard(signal: .kill).steps.count == 1)
  }

  @Test func killsAgainWheneverTheSetChangesAndInBetween() {
    var run = EscalationRun<Never>(.standard(grace: .zero))
    _ = run.start(at: self.start)
    #expect(run.membersChanged(at: self.start) == [])
    _ = run.timeReached(at: self.start)
    #expect(run.membersChanged(at: self.start) == [.signal(.kill)])
    // Looking again comes ever more rarely, and never after the deadline.
    var instant = self.start
    var sweeps = 0
    while true {
      let actions = run.timeReached(at: instant)
      if actions == [.expired] { break }
      guard case .wait(let next) = actions.last else {
        Issue.record("no wait in \(actions)")
        return
      }
      #expect(actions.first == .signal(.kill))
      #expect(next > instant)
      #expect(next <= self.after(Escalation.killWait))
      instant = next
      sweeps += 1
    }
    #expect((20...30).contains(sweeps))
  }

  @Test func whileProcessesEndTheKernelGetsMoreTimeAndNotForEver() {
    var run = EscalationRun<Never>(Escalation(steps: []))
    _ = run.start(at: self.start)
    var ended = Duration.zero
    while run.timeReached(at: self.after(ended)) != [.expired] {
      #expect(run.membersChanged(at: self.after(ended)) == [.signal(.kill)])
      ended += .milliseconds(500)
      guard ended <= Escalation.longestKillWait else { break }
    }
    #expect(ended == Escalation.longestKillWait)
    // Once nobody ends any more, the usual wait is what is left.
    var stuck = EscalationRun<Never>(Escalation(steps: []))
    _ = stuck.start(at: self.start)
    let next = self.look(&stuck, from: .zero, to: .seconds(1))
    _ = stuck.membersChanged(at: self.after(.seconds(1)))
    #expect(self.look(&stuck, from: next) == .seconds(3))
  }

  @Test func fewerThanEverSeenAliveGetMoreTimeAndNotForEver() {
    /// Seconds until it is given up, if so many are seen alive at each of them.
    func patience(_ living: (Int64) -> Int) -> Int64 {
      var run = EscalationRun<Never>(Escalation(steps: []))
      _ = run.start(at: self.start)
      return self.look(&run, from: .zero) { living($0.components.seconds) }.components.seconds
    }
    #expect(patience { 100 - Int($0) } == Escalation.longestKillWait.components.seconds)
    #expect(patience { $0 < 3 ? 100 - Int($0) : 97 } == 5)
    // As many are born as end, or more.
    #expect(patience { _ in 100 } == Escalation.killWait.components.seconds)
    #expect(patience { 100 + Int($0 % 2) } == Escalation.killWait.components.seconds)
  }

  @Test func timeInWhichTheMachineStoodStillIsGivenBackAndNotForEver() {
    var run = EscalationRun<Never>(Escalation(steps: []))
    _ = run.start(at: self.start)
    let late = self.look(&run, from: .zero, to: .seconds(1)) + .milliseconds(1500)
    #expect(late > Escalation.killWait)
    #expect(self.look(&run, from: late) == Escalation.killWait + .milliseconds(1500))
    // Looking takes long each time.
    var slow = EscalationRun<Never>(Escalation(steps: []))
    _ = slow.start(at: self.start)
    var now = Duration.zero
    while case .wait(let next) = slow.timeReached(at: self.after(now)).last {
      now = self.start.duration(to: next) + .seconds(1)
    }
    #expect((Escalation.longestKillWait...Escalation.longestKillWait + .seconds(1)).contains(now))
  }

  @Test func aRefusedRequestGoesOnAtOnce() {
    var run = EscalationRun<String>(steps: [
      .request("please", wait: .seconds(10)), .signal(.terminate, wait: .seconds(5)),
      .signal(.kill, wait: .seconds(2)),
    ])
    #expect(run.start(at: self.start) == [.request("please"), .wait(until: self.after(.seconds(10)))])
    #expect(run.isAsking)
    #expect(run.requestFailed(at: self.after(.seconds(1))).first == .signal(.terminate))
    // A late answer changes nothing.
    #expect(run.requestFailed(at: self.after(.seconds(2))) == [])
  }

  @Test func hurryTakesTheNextStepAndNeverCutsTheLast() {
    var run = EscalationRun<Never>(.standard())
    #expect(run.hurry(at: self.start) == [])
    _ = run.start(at: self.start)
    #expect(run.hurry(at: self.start).first == .signal(.kill))
    #expect(run.hurry(at: self.start) == [])
    #expect(!run.hasExpired)
  }

  @Test func theLeadersEndShortensTheStepAndKillFollows() {
    var run = EscalationRun<Never>(
      Escalation(steps: [.init(.terminate, wait: .seconds(15)), .init(.interrupt, wait: .seconds(5))]))
    _ = run.start(at: self.start)
    #expect(
      run.shorten(to: .seconds(5), at: self.after(.seconds(1))) == [.wait(until: self.after(.seconds(6)))])
    #expect(run.timeReached(at: self.after(.seconds(6))).first == .signal(.kill))
  }

  @Test func impatienceNeverMakesKillLater() {
    var run = EscalationRun<Never>(
      Escalation(steps: [.init(.terminate, wait: .seconds(15)), .init(.interrupt, wait: .seconds(5))]))
    _ = run.start(at: self.start)
    _ = run.shorten(to: .seconds(5), at: self.start)
    #expect(run.hurry(at: self.after(.seconds(1))).first == .signal(.kill))
  }

  @Test func skipToKillWorksOnce() {
    var run = EscalationRun<Never>(.standard())
    _ = run.start(at: self.start)
    #expect(run.skipToKill(at: self.start).first == .signal(.kill))
    #expect(run.skipToKill(at: self.start) == [])
  }
}
