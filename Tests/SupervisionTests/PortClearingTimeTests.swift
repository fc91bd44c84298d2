import Glibc
import ProcCtl
import Supervision
import Testing

/// A master whose worker's port is taken anew as soon as whoever had it has been ended.
@Suite struct PortClearingTimeTests {
  /// Every process there is carries the worker's mark, and is another one each time.
  private final class Respawning: Kernel {
    private var looks = 0
    var now: MonotonicInstant { .now }
    let selfIdentifier = ProcessIdentifier(getpid())
    func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
      throw ProcessError(.spawn, doing: "start")
    }
    func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? {
      guard process.value == 4_000_000 else { return nil }
      self.looks += 1
      let line = "\(process) (server) S 3 7 7 " + Array(repeating: "0", count: 15).joined(separator: " ")
      return ProcessStatus(parsing: Array("\(line) \(self.looks) ".utf8) + Array("0 0 0 0 0 0 0 0 0 0".utf8))
    }
    func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] { [] }
    func allProcesses() throws(ProcessError) -> [ProcessStatus] { [] }
    func cookie(of process: ProcessIdentifier) throws(ProcessError) -> ByteString? { "alpha:1" }
    func peekExit(of child: ProcessIdentifier) -> TerminationStatus? { nil }
    func peekAnyExit() -> AnyChildExit { .noChildren }
    func reap(_ child: ProcessIdentifier) -> TerminationStatus? { nil }
    func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery { .gone }
    func send(
      _ signal: Signal, toGroupOf child: ProcessIdentifier
    ) throws(ProcessError) -> SignalDelivery { .gone }
  }

  private final class Nothing: HolderStop, ReadinessSearch, CleanupRunner, WorkerStarter {
    var longest: Duration { .zero }
    func cancel() {}
    func missing(closely: Bool) -> String? { nil }
    func skipToKill() {}
    func hurry() {}
    func kill() {}
    func run(completion: @escaping ([String]) -> Void) { completion([]) }
    func command(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker {
      throw ProcessError(.spawn, doing: "start")
    }
  }

  private final class TakenPort: WorkerNetwork {
    let loop: EventLoop
    private(set) var ended = 0
    init(_ loop: EventLoop) { self.loop = loop }
    func verdict(onPort port: UInt16) -> PortVerdict {
      .held([PortHolder(pid: ProcessIdentifier(4_000_000), state: .listen, address: .tcp(.anyV4, port: port))]
      )
    }
    func end(_ processes: [ProcessIdentity], completion: @escaping (HolderEnd) -> Void) -> any HolderStop {
      self.ended += 1
      self.loop.schedule(at: self.loop.now.advanced(by: .milliseconds(10))) { completion(HolderEnd()) }
      return Nothing()
    }
    func awaitReadiness(
      of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
      whenReady: @escaping () -> Void
    ) -> any ReadinessSearch { Nothing() }
    func send(
      _ request: StopRequest, toPort port: UInt16?, members: [ProcessIdentifier],
      completion: @escaping (StopAnswer) -> Void
    ) -> any Cancellable { Nothing() }
    func clients(on ports: [ClientPort]) throws(ProcessError) -> [UInt16: Int] { [:] }
    func disconnectClients(on port: ClientPort) throws(ProcessError) -> Disconnection {
      Disconnection(ended: 0, left: 0)
    }
  }

  private final class Watcher: MasterObserver {
    let loop: EventLoop
    private(set) var isBlocked = false
    init(_ loop: EventLoop) { self.loop = loop }
    func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?) {
      guard state == .blocked else { return }
      self.isBlocked = true
      self.loop.stop()
    }
  }

  @Test func whoeverTakesThePortAgainAndAgainIsNotEndedForEver() throws {
    let loop = try EventLoop()
    let network = TakenPort(loop)
    let nothing = Nothing()
    let definition = try #require(
      try parse("[workers.alpha]\ncommand = [\"x\"]\nport = 80\n").workers.first)
    let master = Master(
      definitions: [definition], timeouts: ShutdownTimeouts(ports: .milliseconds(100)),
      kernel: Respawning(), scheduler: loop, network: network, starter: nothing, cleanups: nothing, seed: 1)
    let watcher = Watcher(loop)
    master.observer = watcher
    master.start()
    loop.schedule(at: loop.now.advanced(by: .seconds(10))) { loop.stop() }
    try loop.run()
    #expect(watcher.isBlocked)
    #expect(network.ended >= 2)
  }
}
