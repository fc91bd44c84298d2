import Glibc
import ProcCtl
import Supervision
import Testing

/// How often a master looks at the clients of many workers where each look takes long.
@Suite struct ClientLookTests {
  /// Starts processes that only exist by number, and never end.
  private final class Deaf: Kernel {
    private var started: Int32 = 4_000_000
    var now: MonotonicInstant { .now }
    let selfIdentifier = ProcessIdentifier(getpid())
    func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
      self.started += 1
      return ProcessIdentity(processIdentifier: ProcessIdentifier(self.started), startTime: 1)
    }
    func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? { nil }
    func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] { [] }
    func allProcesses() throws(ProcessError) -> [ProcessStatus] { [] }
    func cookie(of process: ProcessIdentifier) throws(ProcessError) -> ByteString? { nil }
    func peekExit(of child: ProcessIdentifier) -> TerminationStatus? { nil }
    func peekAnyExit() -> AnyChildExit { .allRunning }
    func reap(_ child: ProcessIdentifier) -> TerminationStatus? { nil }
    func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery { .sent }
    func send(
      _ signal: Signal, toGroupOf child: ProcessIdentifier
    ) throws(ProcessError) -> SignalDelivery { .sent }
  }

  private final class Around: ReadinessSearch, CleanupRunner, WorkerStarter {
    var longest: Duration { .zero }
    func cancel() {}
    func missing(closely: Bool) -> String? { nil }
    func hurry() {}
    func kill() {}
    func run(completion: @escaping ([String]) -> Void) { completion([]) }
    func command(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker {
      PreparedWorker(command: Command(.name("x"), environment: .empty))
    }
  }

  /// Everybody has a client, and it takes 30 ms to find that out.
  private final class SlowTable: WorkerNetwork {
    private(set) var looks = 0
    func verdict(onPort port: UInt16) -> PortVerdict { .free }
    func end(_ processes: [ProcessIdentity], completion: @escaping (HolderEnd) -> Void) -> any HolderStop {
      Issue.record("nobody is to be ended")
      return NoStop()
    }
    func awaitReadiness(
      of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
      whenReady: @escaping () -> Void
    ) -> any ReadinessSearch { Around() }
    func send(
      _ request: StopRequest, toPort port: UInt16?, members: [ProcessIdentifier],
      completion: @escaping (StopAnswer) -> Void
    ) -> any Cancellable { Around() }
    func clients(on ports: [ClientPort]) throws(ProcessError) -> [UInt16: Int] {
      self.looks += 1
      usleep(30_000)
      return Dictionary(uniqueKeysWithValues: ports.map { ($0.port, 1) })
    }
    func disconnectClients(on port: ClientPort) throws(ProcessError) -> Disconnection {
      Disconnection(ended: 0, left: 1)
    }
  }

  private final class NoStop: HolderStop {
    func cancel() {}
    func skipToKill() {}
  }

  @Test func manyThatAreKilledAtOnceAreNotManyLooks() throws {
    let loop = try EventLoop()
    let network = SlowTable()
    let around = Around()
    let tables = (1...40).map { number in
      """
      [workers.w\(number)]
      command = ["x"]
      port = \(number)
      ready = "none"
      stop = [ { signal = "TERM", wait = "9s" }, { signal = "KILL" } ]

      """
    }
    let master = Master(
      definitions: try parse(tables.joined()).workers, timeouts: ShutdownTimeouts(), kernel: Deaf(),
      scheduler: loop, network: network, starter: around, cleanups: around, seed: 1)
    master.start()
    master.stop(reason: "test")
    master.kill()
    #expect((1...10).contains(network.looks), "\(network.looks) looks")
  }
}
