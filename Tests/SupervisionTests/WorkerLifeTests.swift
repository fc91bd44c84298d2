import ProcCtl
import SeededRandom
import Supervision
import Testing

@Suite struct WorkerLifeTests {
  /// A life with a clock that the test moves.
  private struct Bench {
    var life: WorkerLife
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)

    init(
      port: UInt16? = 8080, stop: [StopStep]? = nil, restart: WorkerDefinition.Restart = .always,
      startTimeout: Duration = .seconds(60)
    ) {
      self.life = WorkerLife(
        definition: WorkerDefinition(
          name: "w", command: ["w"], port: port,
          stop: stop ?? [.signal(.terminate, wait: .seconds(15)), .signal(.interrupt, wait: .seconds(5))],
          restart: restart, startTimeout: startTimeout),
        portTimeout: .seconds(15), seed: 1)
    }

    @discardableResult
    mutating func on(_ event: WorkerLife.Event, after pause: Duration = .zero) -> [WorkerLife.Effect] {
      self.now = self.now.advanced(by: pause)
      return self.life.handle(event, at: self.now)
    }

    mutating func becomeReady() {
      self.on(.start)
      self.on(.portChecked(holder: nil))
      self.on(.spawned)
      self.on(.becameReady)
    }
  }

  @Test func startsWhenItsPortIsFree() {
    var bench = Bench()
    #expect(bench.on(.start) == [.wake(nil), .checkPort])
    #expect(bench.on(.portChecked(holder: nil)) == [.spawn])
    let effects = bench.on(.spawned)
    #expect(effects.contains(.awaitReadiness))
    #expect(bench.life.state == .starting)
    #expect(bench.on(.becameReady).contains(.endReadiness))
    #expect(bench.life.state == .ready)
  }

  @Test func aWorkerWithoutPortIsReadyOnceItRuns() {
    var bench = Bench(port: nil)
    #expect(bench.on(.start).contains(.spawn))
    bench.on(.spawned)
    #expect(bench.life.state == .ready)
  }

  @Test func aForeignPortBlocksItAndIsSaidOnce() {
    var bench = Bench()
    bench.on(.start)
    let first = bench.on(.portChecked(holder: "nginx"))
    #expect(
      first.contains(
        .entered(.blocked, "port 8080 is held by nginx; trying again in 1s, then ever more rarely")))
    var pauses: [Duration] = []
    var effects = first
    for _ in 0..<8 {
      guard case .wake(let instant?) = effects.last else {
        Issue.record("no wake in \(effects)")
        return
      }
      pauses.append(bench.now.duration(to: instant))
      bench.on(.timeReached, after: bench.now.duration(to: instant))
      effects = bench.on(.portChecked(holder: "nginx"))
      #expect(!effects.contains { if case .entered = $0 { true } else { false } })
    }
    #expect(pauses == pauses.sorted())
    #expect(pauses.last == .seconds(30))
    // News, when the pauses no longer grow.
    bench.on(.timeReached, after: .seconds(30))
    #expect(
      bench.on(.portChecked(holder: "apache")).contains(
        .entered(.blocked, "port 8080 is held by apache; trying again in 30s and so on")))
    bench.on(.timeReached, after: .seconds(30))
    #expect(bench.on(.portChecked(holder: nil)) == [.spawn])
  }

  @Test func theLeadersEndIsNotTheEnd() {
    var bench = Bench()
    bench.becomeReady()
    let effects = bench.on(.leaderEnded(.exited(1)))
    #expect(bench.life.state == .stopping)
    #expect(effects.last == .look)
    #expect(!effects.contains(.spawn))
    // Somebody is left: they are asked, then killed.
    #expect(bench.on(.membersChanged).contains(.signal(.terminate)))
    #expect(bench.on(.timeReached, after: .seconds(5)).contains(.signal(.kill)))
    // Only an empty set and a free port let it start again.
    #expect(bench.on(.emptied).contains(.verifyPort))
    #expect(bench.life.state == .verifying)
    #expect(bench.on(.portVerified(holder: nil)).contains(.checkPort))
  }

  @Test func leftoversOfAStopKeepTheirStepButNotLongerThanTheGrace() {
    var bench = Bench()
    bench.becomeReady()
    #expect(bench.on(.stop).contains(.signal(.terminate)))
    let effects = bench.on(.leaderEnded(.exited(0)), after: .seconds(1))
    #expect(effects.contains(.wake(bench.now.advanced(by: .seconds(5)))))
    #expect(bench.on(.timeReached, after: .seconds(5)).contains(.signal(.kill)))
    bench.on(.emptied)
    #expect(bench.life.force == .kill)
  }

  @Test func aCommandedStopIsNeverUndone() {
    var bench = Bench()
    bench.becomeReady()
    bench.on(.stop)
    bench.on(.leaderEnded(.exited(1)))
    bench.on(.emptied)
    bench.on(.portVerified(holder: nil))
    #expect(bench.life.state == .stopped)
    for event in self.everyEvent where ![.start, .restart, .spawned].contains(event) {
      let effects = bench.on(event, after: .seconds(100))
      #expect(!effects.contains(.spawn) && !effects.contains(.checkPort), "\(event)")
      #expect(bench.life.state == .stopped, "\(event)")
    }
  }

  @Test func theFirstAskIsNoForceAndWhatFollowsIs() {
    let request = StopStep.request(method: "POST", path: "/shutdown", wait: .seconds(10))
    let steps = [request, .signal(.terminate, wait: .seconds(15)), .signal(.kill, wait: nil)]
    // Obeys the request.
    var obedient = Bench(stop: steps)
    obedient.becomeReady()
    #expect(obedient.on(.stop).contains(.request(StopRequest(method: "POST", path: "/shutdown"))))
    obedient.on(.requestAnswered(nil))
    obedient.on(.leaderEnded(.exited(0)))
    obedient.on(.emptied)
    #expect(obedient.life.force == .none)
    // Refuses: TERM comes at once, not after the wait.
    var refusing = Bench(stop: steps)
    refusing.becomeReady()
    refusing.on(.stop)
    #expect(refusing.on(.requestFailed("404")).contains(.signal(.terminate)))
    #expect(refusing.life.force == .signal)
    // Asked by its first signal.
    var signalled = Bench()
    signalled.becomeReady()
    signalled.on(.stop)
    #expect(signalled.life.force == .none)
    signalled.on(.timeReached, after: .seconds(15))
    #expect(signalled.life.force == .signal)
    signalled.on(.timeReached, after: .seconds(5))
    #expect(signalled.life.force == .kill)
  }

  @Test func survivorsAreAFailureAndNotARestart() {
    var bench = Bench(stop: [.signal(.kill, wait: nil)])
    bench.becomeReady()
    var effects = bench.on(.stop)
    let stopped = bench.now
    while case .wake(let instant?) = effects.last {
      effects = bench.on(.timeReached, after: bench.now.duration(to: instant))
    }
    #expect(stopped.duration(to: bench.now) == Escalation.killWait)
    #expect(bench.life.state == .failed)
    #expect(bench.on(.start).isEmpty)
    // They may end after all; then the leader can be reaped.
    bench.on(.leaderEnded(.signaled(.kill, coreDumped: false)))
    #expect(bench.on(.emptied) == [.release])
  }

  @Test func aPortThatStaysHeldIsAFailure() {
    var bench = Bench()
    bench.becomeReady()
    bench.on(.stop)
    bench.on(.leaderEnded(.exited(0)))
    bench.on(.emptied)
    #expect(bench.on(.portVerified(holder: "pid 7")).count == 1)
    bench.on(.portVerified(holder: "pid 7"), after: .seconds(15))
    #expect(bench.life.state == .failed)
  }

  @Test func aPortTakenByAStrangerAfterACrashBlocksIt() {
    var bench = Bench()
    bench.becomeReady()
    bench.on(.leaderEnded(.signaled(.kill, coreDumped: false)))
    bench.on(.emptied)
    bench.on(.portVerified(holder: "nginx"))
    let effects = bench.on(.portVerified(holder: "nginx"), after: .seconds(15))
    #expect(bench.life.state == .blocked)
    guard case .wake(.some)? = effects.last else {
      Issue.record("no wake in \(effects)")
      return
    }
    bench.on(.timeReached, after: .seconds(2))
    #expect(bench.on(.portChecked(holder: nil)) == [.spawn])
  }

  @Test func forceOfACleanUpIsNoMatterOfALaterStop() {
    var bench = Bench(restart: .never)
    bench.becomeReady()
    bench.on(.leaderEnded(.exited(1)))
    bench.on(.membersChanged)
    bench.on(.timeReached, after: .seconds(5))
    bench.on(.emptied)
    bench.on(.portVerified(holder: nil))
    #expect(bench.life.force == .kill)
    bench.on(.stop)
    #expect(bench.life.force == .none)
  }

  @Test func theFirstRestartIsAtOnceThenEverSlowerUpToTheCap() {
    var bench = Bench(port: nil)
    bench.on(.start)
    bench.on(.spawned)
    var delays: [Duration] = []
    for _ in 0..<14 {
      bench.on(.leaderEnded(.exited(1)))
      let effects = bench.on(.emptied)
      if effects.contains(.spawn) {
        delays.append(.zero)
      } else if case .wake(let instant?)? = effects.first(where: {
        if case .wake(.some) = $0 { true } else { false }
      }) {
        delays.append(bench.now.duration(to: instant))
        #expect(bench.on(.timeReached, after: bench.now.duration(to: instant)).contains(.spawn))
      }
      bench.on(.spawned)
    }
    #expect(delays.count == 14)
    #expect(delays[0] == .zero)
    #expect(delays[1] > .milliseconds(89) && delays[1] <= .milliseconds(100))
    #expect(delays[13] > .seconds(26) && delays[13] <= .seconds(30))
    // Ready for long enough, its failures are forgotten.
    bench.on(.leaderEnded(.exited(1)), after: .seconds(11))
    #expect(bench.on(.emptied).contains(.spawn))
  }

  @Test func restartPoliciesLookAtTheStatus() {
    for (restart, status, again) in [
      (WorkerDefinition.Restart.onFailure, TerminationStatus.exited(0), false),
      (.onFailure, .exited(1), true),
      (.never, .exited(1), false), (.always, .exited(0), true),
    ] {
      var bench = Bench(port: nil, restart: restart)
      bench.on(.start)
      bench.on(.spawned)
      bench.on(.leaderEnded(status))
      #expect(bench.on(.emptied).contains(.spawn) == again, "\(restart) \(status)")
    }
  }

  @Test func aWorkerThatIsNeverReadyIsEndedAndTriedAgain() {
    var bench = Bench(startTimeout: .seconds(3))
    bench.on(.start)
    bench.on(.portChecked(holder: nil))
    bench.on(.spawned)
    #expect(bench.on(.timeReached, after: .seconds(3)).contains(.signal(.terminate)))
    #expect(bench.life.state == .stopping)
  }

  @Test func impatienceGoesOnToTheNextStep() {
    var bench = Bench()
    bench.becomeReady()
    bench.on(.stop)
    #expect(bench.on(.hurry).contains(.signal(.interrupt)))
    #expect(bench.on(.kill).contains(.signal(.kill)))
  }

  /// Whatever comes in whatever state: no start while processes may be left, and no trap.
  @Test func everyEventInEveryState() {
    var random = SeededRandom(seed: 11)
    for _ in 0..<3000 {
      var bench = Bench(
        port: random.next() % 2 == 0 ? 80 : nil,
        stop: random.next() % 2 == 0 ? nil : [.request(method: "POST", path: "/", wait: .seconds(1))])
      var holdsProcesses = false
      for _ in 0..<60 {
        let event = self.everyEvent[Int(random.next() % UInt64(self.everyEvent.count))]
        // Facts come only when they can be.
        switch event {
        case .spawned where bench.life.state != .waiting || holdsProcesses: continue
        case .leaderEnded where !holdsProcesses: continue
        case .emptied where !holdsProcesses: continue
        default: break
        }
        let effects = bench.on(event, after: .milliseconds(Int64(random.next() % 3000)))
        if event == .spawned { holdsProcesses = true }
        if effects.contains(.release) { holdsProcesses = false }
        if effects.contains(.spawn) {
          #expect(!holdsProcesses, "started beside its own processes, on \(event)")
        }
      }
    }
  }

  @Test(arguments: [UInt16?.none, 8080])
  func aGuardThatCannotStartItsProgramBlocksTheWorker(_ port: UInt16?) {
    var bench = Bench(port: port)
    bench.on(.start)
    if port != nil { bench.on(.portChecked(holder: nil)) }
    bench.on(.spawned)
    let effects = bench.on(.spawnFailed("no such program"))
    #expect(bench.life.state == .blocked && bench.life.starts == 0)
    #expect(effects.contains(.release), "the guard is reaped")
    #expect(effects.contains(.endReadiness))
    #expect(bench.on(.timeReached, after: .seconds(1)).contains(port == nil ? .spawn : .checkPort))
    bench.on(.stop)
    #expect(bench.life.state == .stopped)
    // Stopped by command meanwhile, it is not called blocked again.
    var stopping = Bench()
    stopping.becomeReady()
    stopping.on(.stop)
    #expect(stopping.on(.spawnFailed("x")).isEmpty && stopping.life.state == .stopping)
  }

  private var everyEvent: [WorkerLife.Event] {
    [
      .start, .portChecked(holder: nil), .portChecked(holder: "x"), .spawned, .spawnFailed("x"), .becameReady,
      .leaderEnded(.exited(0)), .leaderEnded(.exited(1)), .membersChanged, .emptied,
      .portVerified(holder: nil),
      .portVerified(holder: "x"), .requestAnswered(nil), .requestFailed("x"), .timeReached, .stop, .restart,
      .hurry, .kill,
    ]
  }
}
