import ProcCtl
import Simulation
import Supervision
import Testing

/// How often a master looks at all Unix sockets there are, for workers that end together.
@Suite struct SocketLookTests {
  /// Every worker is one process, which lives until it is ended.
  private final class Fleet: LonelyKernel {
    private var spawned: Int32 = 0
    private var living: Set<ProcessIdentifier> = []
    private var ended: Set<ProcessIdentifier> = []

    init(_ time: VirtualTime) { super.init(time: time, selfIdentifier: ProcessIdentifier(1000)) }

    func end(_ count: Int) {
      let ending = self.living.sorted().prefix(count)
      self.ended.formUnion(ending)
      self.living.subtract(ending)
    }
    override func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
      self.spawned += 1
      let pid = ProcessIdentifier(1000 + self.spawned)
      self.living.insert(pid)
      return ProcessIdentity(processIdentifier: pid, startTime: 1)
    }
    override func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] {
      process == self.selfIdentifier ? self.living.union(self.ended).sorted() : []
    }
    override func peekExit(of child: ProcessIdentifier) -> TerminationStatus? {
      self.ended.contains(child) ? .exited(0) : nil
    }
    override func peekAnyExit() -> AnyChildExit {
      self.ended.min().map { .ended($0, .exited(0)) } ?? (self.living.isEmpty ? .noChildren : .allRunning)
    }
    override func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
      self.ended.remove(child) == nil ? nil : .exited(0)
    }
    override func send(
      _ signal: Signal, toGroupOf child: ProcessIdentifier
    ) throws(ProcessError) -> SignalDelivery { .sent }
  }

  private final class Sockets: WorkerResources {
    private(set) var looks = 0
    private(set) var ended = 0

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

  private let time = VirtualTime()
  private let sockets = Sockets()

  private func master(_ names: [String], _ fleet: Fleet) throws -> Master {
    let text = names.map { "[workers.\($0)]\ncommand = [\"x\"]\nruntime-directory = true\n" }.joined()
    let master = try Master(of: text, kernel: fleet, time: self.time, surroundings: SilentSurroundings())
    master.resources = self.sockets
    master.start()
    return master
  }

  @Test(arguments: [true, false])
  func oneLookServesAllThatEndTogether(isStopped: Bool) throws {
    let names = (0..<200).map { "w\($0)" }
    let fleet = Fleet(self.time)
    let master = try self.master(names, fleet)
    if isStopped { master.stop(reason: "the test") }
    #expect(self.sockets.looks == 0)
    fleet.end(names.count)
    master.childrenChanged()
    #expect(self.sockets.ended == names.count)
    #expect(self.sockets.looks == 1)
  }

  /// The control: a look is not kept for who ends later.
  @Test func whoEndsLaterIsALookOfItsOwn() throws {
    let fleet = Fleet(self.time)
    let master = try self.master(["alpha", "beta"], fleet)
    fleet.end(1)
    master.childrenChanged()
    #expect(self.sockets.ended == 1 && self.sockets.looks == 1)
    fleet.end(1)
    master.childrenChanged()
    #expect(self.sockets.ended == 2 && self.sockets.looks == 2)
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
