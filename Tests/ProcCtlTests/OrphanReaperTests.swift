import ProcCtl
import Testing

@Suite struct OrphanReaperTests {
  /// Has zombies that somebody in this program may have started, and a clock that the test moves.
  private final class ZombieKernel: Kernel {
    let selfIdentifier = ProcessIdentifier(1000)
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    var zombies: [Int32] = []

    func childrenByOrigin() -> ChildrenByOrigin? {
      ChildrenByOrigin(adoptable: self.zombies.map { ProcessIdentifier($0) }, started: [])
    }
    func children(of process: ProcessIdentifier) -> [ProcessIdentifier] {
      self.zombies.map { ProcessIdentifier($0) }
    }
    func status(of process: ProcessIdentifier) -> ProcessStatus? {
      ProcessStatus(
        identity: ProcessIdentity(processIdentifier: process, startTime: 1), name: "z", state: .zombie,
        parent: self.selfIdentifier, processGroup: process, session: process)
    }
    func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
      self.zombies.removeAll { $0 == child.value }
      return .exited(0)
    }

    func peekAnyExit() -> AnyChildExit { .allRunning }
    func peekExit(of child: ProcessIdentifier) -> TerminationStatus? { nil }
    func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
      throw ProcessError(.spawn, doing: "nothing")
    }
    func allProcesses() -> [ProcessStatus] { [] }
    func cookie(of process: ProcessIdentifier) -> ByteString? { nil }
    func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery { .gone }
    func send(
      _ signal: Signal, toGroupOf child: ProcessIdentifier
    ) throws(ProcessError) -> SignalDelivery { .gone }
  }

  private let kernel = ZombieKernel()

  /// Looks when it is time to, from then on; how long each zombie was there.
  ///
  /// - Parameter standstill: How much later than it should the look of that number comes.
  private func ages(
    _ reaper: inout OrphanReaper, until end: Duration, standstill: (look: Int, Duration)? = nil
  ) -> [Duration] {
    let start = self.kernel.now
    var ages: [Duration] = []
    var looks = 0
    while start.duration(to: self.kernel.now) < end, let interval = reaper.lookInterval {
      looks += 1
      let late = standstill?.look == looks ? standstill?.1 ?? .zero : .zero
      self.kernel.now = self.kernel.now.advanced(by: interval + late)
      ages += reaper.collect(except: []).map { _ in start.duration(to: self.kernel.now) }
    }
    return ages
  }

  @Test func aZombieIsLeftToOthersForTheGrace() {
    var reaper = OrphanReaper(kernel: self.kernel, policy: .cooperative(grace: .seconds(2)))
    #expect(reaper.collect(except: []).isEmpty)
    // With nobody there it looks as seldom as it may.
    #expect(reaper.lookInterval == .seconds(2))
    self.kernel.zombies = [7, 8]
    #expect(self.ages(&reaper, until: .seconds(10)) == [.seconds(4), .seconds(4)])
    #expect(reaper.lookInterval == .seconds(2))
  }

  @Test(arguments: 1...5) func timeInWhichNobodyCouldCollectHisOwnDoesNotCount(look: Int) throws {
    var reaper = OrphanReaper(kernel: self.kernel, policy: .cooperative(grace: .seconds(2)))
    _ = reaper.collect(except: [])
    self.kernel.zombies = [7]
    let standstill = Duration.seconds(3600)
    let age = try #require(
      self.ages(&reaper, until: .seconds(5000), standstill: (look, standstill)).first)
    #expect(age == .seconds(4) + standstill)
  }

  @Test func whoIsAloneReapsAtOnce() {
    var reaper = OrphanReaper(kernel: self.kernel, policy: .exclusive)
    self.kernel.zombies = [7]
    #expect(reaper.collect(except: [ProcessIdentifier(7)]).isEmpty)
    #expect(reaper.collect(except: []).map(\.value) == [7])
  }
}
