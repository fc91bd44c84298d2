import ProcCtl
import SeededRandom
import Supervision
import Testing

/// Clients of a stopping worker, in virtual time.
@Suite struct ClientDrainTests {
  /// A drain with a clock that the test moves. KILL is due after 20 s unless said otherwise.
  private struct Bench {
    static let start = MonotonicInstant(nanoseconds: 1_000_000_000)
    var drain: ClientDrain
    var now = Bench.start

    init(patience: Duration = .seconds(30), kill: Duration? = .seconds(20), hasTable: Bool = true) {
      self.drain = ClientDrain(began: self.now, patience: patience, hasTable: hasTable)
      if let kill { self.drain.killIsDue(at: self.now.advanced(by: kill), now: self.now) }
    }

    var elapsed: Duration { Bench.start.duration(to: self.now) }
    var nextLook: Duration? { self.drain.nextLook.map { Bench.start.duration(to: $0) } }

    /// Goes on to the next look there is to be and tells it the count.
    mutating func look(_ count: Int?) throws -> [ClientDrain.Action] {
      let next = try #require(self.drain.nextLook)
      #expect(next >= self.now)
      self.now = max(self.now, next)
      return self.drain.seen(count, at: self.now)
    }

    /// Looks that often as it wants to until then.
    mutating func looks(_ count: Int?, until limit: Duration) throws -> [ClientDrain.Action] {
      var actions: [ClientDrain.Action] = []
      while let next = self.nextLook, next < limit { actions += try self.look(count) }
      return actions
    }
  }

  @Test func looksAtOnceAndNoMoreWhileNobodyIsThere() throws {
    var bench = Bench()
    #expect(bench.nextLook == .zero)
    #expect(try bench.look(0) == [])
    // Only once more, before it would be too late.
    #expect(bench.nextLook == .seconds(18))
    #expect(try bench.look(0) == [])
    #expect(bench.nextLook == nil)
  }

  @Test func looksAgainEverMoreRarelyWhileSomebodyIs() throws {
    var bench = Bench()
    #expect(try bench.look(3) == [.changed(3)])
    var pauses: [Duration] = []
    for _ in 0..<8 {
      let before = bench.elapsed
      #expect(try bench.look(3) == [])
      pauses.append(bench.elapsed - before)
    }
    #expect(pauses == [50, 100, 200, 400, 800, 1000, 1000, 1000].map { .milliseconds($0) })
    #expect(try bench.look(1) == [.changed(1)])
    #expect(try bench.look(0) == [.changed(0)])
    #expect(bench.nextLook == .seconds(18))
  }

  @Test(arguments: [
    // The clients' own time; so long before KILL that it can help; a quarter where there is little.
    (Duration.seconds(5), Duration.seconds(20), Duration.seconds(5)),
    (.seconds(30), .seconds(20), .seconds(18)), (.seconds(30), .seconds(4), .seconds(3)),
    (.zero, .seconds(20), .zero),
  ])
  func forcesWhoStays(patience: Duration, kill: Duration, due: Duration) throws {
    var bench = Bench(patience: patience, kill: kill)
    #expect(!(try bench.looks(2, until: due)).contains(.disconnect))
    #expect(bench.nextLook == due)
    #expect(try bench.look(2).last == .disconnect)
    #expect(
      bench.drain.disconnected(2, left: 0, isPossible: true, at: bench.now) == [.forced(2), .changed(0)])
    // Who was disconnected may come back.
    #expect(try bench.look(1) == [.changed(1), .disconnect])
    #expect(bench.drain.disconnected(1, left: 0, isPossible: true, at: bench.now).first == .forced(1))
  }

  @Test func theForceMovesWithKill() throws {
    var bench = Bench()
    _ = try bench.looks(1, until: .seconds(9))
    // The request was refused: signals come sooner, and KILL is due in 3 s.
    bench.drain.killIsDue(at: Bench.start.advanced(by: .seconds(12)), now: bench.now)
    #expect(!(try bench.looks(1, until: .seconds(10))).contains(.disconnect))
    #expect(try bench.look(1) == [.disconnect])
    #expect(bench.elapsed == .seconds(10))

    // What was far off may be over at once.
    var late = Bench()
    _ = try late.looks(1, until: .seconds(9))
    late.drain.killIsDue(at: late.now.advanced(by: .milliseconds(100)), now: late.now)
    #expect(try late.look(1) == [.disconnect])
  }

  @Test func withoutTheRightTheWorkerIsPushedOnOnceTheClientsTimeIsOver() throws {
    var bench = Bench(patience: .seconds(5))
    _ = try bench.looks(2, until: .seconds(5))
    #expect(try bench.look(2) == [.disconnect])
    #expect(bench.drain.disconnected(0, left: 2, isPossible: false, at: bench.now) == [.pushOn])
    #expect(bench.drain.signalled(isKill: false) == [.forced(2)])
    // Once: what follows has the time it was given.
    #expect(try bench.looks(2, until: .seconds(19)) == [])
    #expect(bench.drain.signalled(isKill: true) == [])
  }

  @Test func withoutTheRightTheMarginIsNoReasonToPush() throws {
    var bench = Bench()
    _ = try bench.looks(2, until: .seconds(18))
    #expect(try bench.look(2) == [.disconnect])
    #expect(bench.drain.disconnected(0, left: 2, isPossible: false, at: bench.now) == [])
    #expect(!(try bench.looks(2, until: .seconds(25))).contains(.pushOn))
    #expect(bench.drain.signalled(isKill: true) == [.forced(2)])
  }

  @Test func aSignalIsForceOnlyForWhoIsThere() throws {
    var bench = Bench()
    _ = try bench.look(1)
    _ = try bench.look(0)
    #expect(bench.drain.signalled(isKill: true) == [])
    #expect(bench.nextLook == nil)
    #expect(bench.drain.seen(5, at: bench.now) == [])
  }

  @Test func whoIsCutOffByASignalAndDisconnectedThenIsCountedOnce() throws {
    var bench = Bench()
    _ = try bench.look(2)
    #expect(bench.drain.signalled(isKill: false) == [.forced(2)])
    // One more came meanwhile.
    #expect(
      bench.drain.disconnected(3, left: 0, isPossible: true, at: bench.now) == [.forced(1), .changed(0)])
    #expect(bench.drain.disconnected(1, left: 0, isPossible: true, at: bench.now) == [.forced(1)])
  }

  @Test func nobodyByBothAccountsIsNotWaitedFor() throws {
    var bench = Bench()
    _ = try bench.look(0)
    #expect(bench.drain.reported(ReportedClients(connected: 0, requests: 0), at: bench.now) == [])
    #expect(try bench.look(0) == [])
    #expect(bench.nextLook == nil)
    // Somebody who comes all the same is seen when something happens.
    bench.now = Bench.start.advanced(by: .seconds(19))
    bench.drain.lookSoon(at: bench.now)
    #expect(try bench.look(1) == [.changed(1), .disconnect])
  }

  @Test func theTableIsBelievedMoreThanTheWorker() throws {
    var bench = Bench()
    _ = try bench.look(2)
    #expect(bench.drain.reported(ReportedClients(connected: 0, requests: 0), at: bench.now) == [])
    #expect(bench.drain.connected == 2)
    #expect(try bench.look(2) == [])
    #expect(try bench.looks(2, until: .seconds(18)) == [])
    #expect(try bench.look(2) == [.disconnect])
  }

  @Test func withoutAPortTheWorkersWordIsAllThereIs() throws {
    var bench = Bench(hasTable: false)
    #expect(bench.nextLook == nil)
    #expect(bench.drain.reported(ReportedClients(connected: 4, requests: 1), at: bench.now) == [.changed(4)])
    #expect(bench.nextLook == nil)
    #expect(bench.drain.signalled(isKill: false) == [.forced(4)])
  }

  @Test func aTableThatCannotBeReadForcesNobody() throws {
    var bench = Bench(patience: .seconds(1))
    _ = try bench.look(2)
    #expect(try bench.looks(nil, until: .seconds(10)) == [])
    #expect(bench.drain.connected == 2)
    #expect(try bench.look(2) == [.disconnect])
  }

  /// Whatever happens in whatever order: it never wants to look in the past again and again, it forces nobody
  /// before the time, and nothing after KILL.
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func anyOrder(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<500 {
      let patience = random.milliseconds(0...8000)
      let kill = random.milliseconds(0...8000)
      var bench = Bench(patience: patience, kill: kill)
      var killed = false
      for _ in 0..<60 {
        bench.now = bench.now.advanced(by: random.milliseconds(0...300))
        let actions: [ClientDrain.Action]
        switch random.next() % 7 {
        case 0:
          actions = bench.drain.reported(
            random.chance(50) ? ReportedClients(connected: 0, requests: 0) : nil, at: bench.now)
        case 1:
          actions = bench.drain.disconnected(
            Int(random.next() % 3), left: Int(random.next() % 3), isPossible: random.chance(70), at: bench.now
          )
        case 2 where random.chance(10):
          actions = bench.drain.signalled(isKill: true)
          killed = true
        case 3:
          bench.drain.lookSoon(at: bench.now)
          actions = []
        default:
          actions = bench.drain.seen(random.chance(10) ? nil : Int(random.next() % 3), at: bench.now)
          if let next = bench.drain.nextLook { #expect(next > bench.now) }
        }
        if actions.contains(.disconnect) || actions.contains(.pushOn) {
          #expect(!killed)
          #expect(bench.elapsed >= min(patience, kill - min(.seconds(2), kill / 4)))
        }
        if killed { #expect(bench.drain.nextLook == nil) }
      }
    }
  }
}
