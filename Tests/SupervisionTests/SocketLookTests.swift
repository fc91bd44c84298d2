import ProcCtl
import Supervision
import Testing

/// How often a master looks at all Unix sockets there are, for workers that end together.
@Suite struct SocketLookTests {
  /// Every worker is one process, which lives until all of them end at once.
  private final class Fleet: Kernel {
    var now: MonotonicInstant { .now }
    let selfIdentifier = ProcessIdentifier(1000)
    private var spawned: Int32 = 0
    private var living: Set<ProcessIdentifier> = []
    private var ended: Set<ProcessIdentifier> = []

    func end(_ count: Int) {
      let ending = self.living.sorted().prefix(count)
      self.ended.formUnion(ending)
      self.living.subtract(ending)
    }
    func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
      self.spawned += 1
      let pid = ProcessIdentifier(1000 + self.spawned)
      self.living.insert(pid)
      return ProcessIdentity(processIdentifier: pid, startTime: 1)
    }
    func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? { nil }
    func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] {
      process == self.selfIdentifier ? self.living.union(self.ended).sorted() : []
    }
    func allProcesses() throws(ProcessError) -> [ProcessStatus] { [] }
    func cookie(of process: ProcessIdentifier) throws(ProcessError) -> ByteString? { nil }
    func peekExit(of child: ProcessIdentifier) -> TerminationStatus? {
      self.ended.contains(child) ? .exited(0) : nil
    }
    func peekAnyExit() -> AnyChildExit {
      self.ended.min().map { .ended($0, .exited(0)) } ?? (self.living.isEmpty ? .noChildren : .allRunning)
    }
    func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
      self.ended.remove(child) == nil ? nil : .exited(0)
    }
    func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery { .gone }
    func send(
      _ signal: Signal, toGroupOf child: ProcessIdentifier
    ) throws(ProcessError) -> SignalDelivery { .sent }
  }

  private final class Surroundings: CleanupRunner, WorkerStarter, WorkerNetwork, WorkerResources {
    private(set) var looks = 0
    private(set) var ended = 0

    var longest: Duration { .zero }
    func hurry() {}
    func kill() {}
    func run(completion: @escaping ([String]) -> Void) { completion([]) }
    func command(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker {
      PreparedWorker(command: Command(.name("worker")))
    }

    func verdict(onPort port: UInt16) -> PortVerdict { .free }
    func end(_ processes: [ProcessIdentity], completion: @escaping (HolderEnd) -> Void) -> any HolderStop {
      Nothing()
    }
    func awaitReadiness(
      of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
      whenReady: @escaping () -> Void
    ) -> any Cancellable { Nothing() }
    func send(
      _ request: StopRequest, toPort port: UInt16?, members: [ProcessIdentifier],
      completion: @escaping (StopAnswer) -> Void
    ) -> any Cancellable { Nothing() }
    func clients(on ports: [ClientPort]) throws(ProcessError) -> [UInt16: Int] { [:] }
    func disconnectClients(on port: ClientPort) throws(ProcessError) -> Disconnection {
      Disconnection(ended: 0, left: 0)
    }

    func stopping(_ definition: WorkerDefinition, members: [ProcessIdentifier]) {}
    func boundSockets() -> UnixSockets {
      self.looks += 1
      return UnixSockets()
    }
    func ended(
      _ definition: WorkerDefinition, others: [WorkerDefinition], bound: UnixSockets
    ) -> [WorkerLeftover] {
      self.ended += 1
      return []
    }
    func finish() -> [WorkerLeftover] { [] }
  }

  private final class Nothing: HolderStop {
    func cancel() {}
    func skipToKill() {}
  }

  private func master(_ names: [String], _ fleet: Fleet, _ surroundings: Surroundings) throws -> Master {
    let text = names.map { "[workers.\($0)]\ncommand = [\"x\"]\nruntime-directory = true\n" }.joined()
    let master = Master(
      definitions: try parse(text).workers, timeouts: ShutdownTimeouts(), kernel: fleet,
      scheduler: try EventLoop(), network: surroundings, starter: surroundings, cleanups: surroundings,
      seed: 1)
    master.resources = surroundings
    master.start()
    return master
  }

  @Test(arguments: [true, false])
  func oneLookServesAllThatEndTogether(isStopped: Bool) throws {
    let names = (0..<200).map { "w\($0)" }
    let (fleet, surroundings) = (Fleet(), Surroundings())
    let master = try self.master(names, fleet, surroundings)
    if isStopped { master.stop(reason: "the test") }
    #expect(surroundings.looks == 0)
    fleet.end(names.count)
    master.childrenChanged()
    #expect(surroundings.ended == names.count)
    #expect(surroundings.looks == 1)
  }

  /// The control: a look is not kept for who ends later.
  @Test func whoEndsLaterIsALookOfItsOwn() throws {
    let (fleet, surroundings) = (Fleet(), Surroundings())
    let master = try self.master(["alpha", "beta"], fleet, surroundings)
    fleet.end(1)
    master.childrenChanged()
    #expect(surroundings.ended == 1 && surroundings.looks == 1)
    fleet.end(1)
    master.childrenChanged()
    #expect(surroundings.ended == 2 && surroundings.looks == 2)
  }

  @Test func socketsAreFoundByNameAndByTheBeginningOfIt() {
    let entries = ["/run/b/1", "@x", "/run/a/2", "/run/a", "/run/ab/3", "/run/a/1", "/run/a/1"].enumerated()
      .map { UnixSocketTable.Entry(inode: UInt32($0.offset + 1), name: ByteString($0.element)) }
    let sockets = UnixSockets(entries)
    #expect(sockets.name(of: 2) == "@x" && sockets.name(of: 9) == nil)
    #expect(Set(sockets.beginning(with: Array("/run/a/".utf8)).map(\.inode)) == [3, 6, 7])
    #expect(sockets.beginning(with: Array("/run/c".utf8)).isEmpty)
    #expect(sockets.beginning(with: []).count == entries.count)
    #expect(UnixSockets().beginning(with: Array("/".utf8)).isEmpty)
  }
}
