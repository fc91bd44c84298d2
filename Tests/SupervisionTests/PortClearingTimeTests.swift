import ProcCtl
import Simulation
import Supervision
import Testing

/// A master whose worker's port is taken anew as soon as whoever had it has been ended.
@Suite struct PortClearingTimeTests {
  private static let holder = ProcessIdentifier(4_000_000)

  /// Whoever holds the port carries the worker's mark, and is another process each time.
  private final class Respawning: LonelyKernel {
    private var looks: UInt64 = 0

    override func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? {
      guard process == PortClearingTimeTests.holder else { return nil }
      self.looks += 1
      return ProcessStatus(
        identity: ProcessIdentity(processIdentifier: process, startTime: self.looks), name: "server",
        state: .sleeping, parent: ProcessIdentifier(3), processGroup: ProcessIdentifier(7),
        session: ProcessIdentifier(7))
    }
    override func cookie(of process: ProcessIdentifier) throws(ProcessError) -> ByteString? { "alpha:1" }
  }

  private final class TakenPort: SilentSurroundings {
    private let time: VirtualTime
    private(set) var ended = 0
    init(_ time: VirtualTime) { self.time = time }

    override func verdict(onPort port: UInt16) -> PortVerdict {
      .held([
        PortHolder(pid: PortClearingTimeTests.holder, state: .listen, address: .tcp(.anyV4, port: port))
      ])
    }
    override func end(
      _ processes: [ProcessIdentity], completion: @escaping (HolderEnd) -> Void
    ) -> any HolderStop {
      self.ended += 1
      self.time.after(.milliseconds(10)) { completion(HolderEnd()) }
      return NothingUnderWay()
    }
  }

  private final class Watcher: MasterObserver {
    private(set) var isBlocked = false
    func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?) {
      if state == .blocked { self.isBlocked = true }
    }
  }

  @Test func whoeverTakesThePortAgainAndAgainIsNotEndedForEver() throws {
    let time = VirtualTime()
    let port = TakenPort(time)
    let master = try Master(
      of: "[workers.alpha]\ncommand = [\"x\"]\nport = 80\n",
      timeouts: ShutdownTimeouts(ports: .milliseconds(100)), kernel: Respawning(time: time), time: time,
      surroundings: port)
    let watcher = Watcher()
    master.observer = watcher
    master.start()
    while !watcher.isBlocked, time.elapsed < .seconds(10), time.step() {}
    #expect(watcher.isBlocked)
    #expect((2...11).contains(port.ended), "\(port.ended) times")
  }
}
