import ProcCtl
import Simulation
import Supervision
import Testing

/// How often a master looks at the clients of many workers where each look takes long.
@Suite struct ClientLookTests {
  /// Starts processes that only exist by number, and never end.
  private final class Deaf: LonelyKernel {
    private var started: Int32 = 4_000_000

    override func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
      self.started += 1
      return ProcessIdentity(processIdentifier: ProcessIdentifier(self.started), startTime: 1)
    }
    override func peekAnyExit() -> AnyChildExit { .allRunning }
    override func send(
      _ signal: Signal, to process: ProcessStatus
    ) throws(ProcessError) -> SignalDelivery { .sent }
    override func send(
      _ signal: Signal, toGroupOf child: ProcessIdentifier
    ) throws(ProcessError) -> SignalDelivery { .sent }
  }

  /// Everybody has a client, and it takes 30 ms to find that out.
  private final class SlowTable: SilentSurroundings {
    private let time: VirtualTime
    private(set) var looks = 0
    init(_ time: VirtualTime) { self.time = time }

    override func clients(on ports: [ClientPort]) throws(ProcessError) -> [UInt16: Int] {
      self.looks += 1
      self.time.pass(.milliseconds(30))
      return Dictionary(uniqueKeysWithValues: ports.map { ($0.port, 1) })
    }
    override func disconnectClients(on port: ClientPort) throws(ProcessError) -> Disconnection {
      Disconnection(ended: 0, left: 1)
    }
  }

  @Test func manyThatAreKilledAtOnceAreNotManyLooks() throws {
    let time = VirtualTime()
    let table = SlowTable(time)
    let workers = (1...40).map { number in
      """
      [workers.w\(number)]
      command = ["x"]
      port = \(number)
      ready = "none"
      stop = [ { signal = "TERM", wait = "9s" }, { signal = "KILL" } ]

      """
    }
    let master = try Master(
      of: workers.joined(), kernel: Deaf(time: time), time: time, surroundings: table)
    master.start()
    master.stop(reason: "test")
    master.kill()
    #expect((1...10).contains(table.looks), "\(table.looks) looks")
  }
}
