import ProcCtl
import Testing

@Suite struct ReaperTests {
  /// Whenever it is asked, one more child has ended; every call takes a tenth of a millisecond.
  private final class EndlessKernel: Kernel {
    let selfIdentifier = ProcessIdentifier(1000)
    private var time = MonotonicInstant(nanoseconds: 0)
    private var next: Int32 = 2000
    /// A child that somebody asked for, and that has ended.
    var leader: ProcessIdentifier?
    private(set) var reaped = 0

    var now: MonotonicInstant {
      self.time = self.time.advanced(by: .microseconds(100))
      return self.time
    }

    func peekAnyExit() -> AnyChildExit {
      if let leader = self.leader { return .ended(leader, .exited(0)) }
      return .ended(ProcessIdentifier(self.next), .exited(0))
    }

    func peekExit(of child: ProcessIdentifier) -> TerminationStatus? { .exited(0) }

    func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
      self.reaped += 1
      self.next += 1
      return .exited(0)
    }

    func children(of process: ProcessIdentifier) -> [ProcessIdentifier] {
      (self.leader.map { [$0] } ?? []) + [ProcessIdentifier(self.next)]
    }

    func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
      throw ProcessError(.spawn, doing: "nothing")
    }
    func status(of process: ProcessIdentifier) -> ProcessStatus? { nil }
    func allProcesses() -> [ProcessStatus] { [] }
    func cookie(of process: ProcessIdentifier) -> ByteString? { nil }
    func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery { .gone }
    func send(
      _ signal: Signal, toGroupOf child: ProcessIdentifier
    ) throws(ProcessError) -> SignalDelivery { .gone }
  }

  @Test("zombies without end do not keep it from coming back", .timeLimit(.minutes(1)))
  func endless() {
    let kernel = EndlessKernel()
    let reaper = Reaper(kernel: kernel)
    #expect(reaper.collect().last == .moreToCollect)
    #expect(kernel.reaped > 10, "it did what it could meanwhile")
  }

  @Test("nor when the leader's zombie is held, which makes it look one by one", .timeLimit(.minutes(1)))
  func endlessBesideLeader() {
    let kernel = EndlessKernel()
    let reaper = Reaper(kernel: kernel)
    let leader = ProcessIdentifier(1500)
    kernel.leader = leader
    reaper.hold(leader)
    let events = reaper.collect()
    #expect(events.first == .leaderEnded(leader, .exited(0)))
    #expect(events.last == .moreToCollect)
    #expect(kernel.reaped > 10)
  }
}
