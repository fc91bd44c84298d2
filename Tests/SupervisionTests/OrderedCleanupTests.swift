import Glibc
import ProcCtl
import Supervision
import Synchronization
import SystemPackage
import Testing

@Suite struct OrderedCleanupTests {
  /// What was called, from several threads.
  private final class Record: Sendable {
    private let entries = Mutex<[String]>([])
    func add(_ entry: String) { self.entries.withLock { $0.append(entry) } }
    var all: [String] { self.entries.withLock { $0 } }
  }

  private struct Refusal: Error, CustomStringConvertible {
    var description: String { "refused" }
  }

  /// A process with a child that nobody can end, once it has one.
  private final class BurdenedKernel: LonelyKernel {
    var isBurdened: Bool
    init(isBurdened: Bool) {
      self.isBurdened = isBurdened
      super.init()
    }

    override func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] {
      self.isBurdened && process == self.selfIdentifier ? [ProcessIdentifier(2_000_000_000)] : []
    }

    override func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? {
      guard process.value == 2_000_000_000 else { return nil }
      return ProcessStatus(
        identity: ProcessIdentity(processIdentifier: process, startTime: 1), name: "stuck",
        state: .uninterruptible, parent: self.selfIdentifier, processGroup: process, session: process)
    }
  }

  @Test func whoeverACleanupLeavesIsNamedOnce() throws {
    let kernel = BurdenedKernel(isBurdened: false)
    let (failures, _, survivors) = try self.runAll(
      [self.closure("after") {}, self.closure("careless") {}], kernel: kernel
    ) { _ in kernel.isBurdened = true }
    #expect(failures == ["careless: left processes behind"])
    #expect(survivors.count == 1)
    #expect(survivors.first?.hasPrefix("pid 2000000000 (stuck), D") == true)
    #expect(survivors.first?.hasSuffix("of cleanup careless") == true)
  }

  @Test func whoSurvivedBeforeIsNoCleanupsFault() throws {
    let (failures, _, survivors) = try self.runAll(
      [self.closure("fine") {}], kernel: BurdenedKernel(isBurdened: true))
    #expect(failures.isEmpty && survivors.isEmpty)
  }

  /// Runs them to the end; a loop that does not end within the limit fails the test.
  private func run(
    _ cleanups: [Cleanup], adding more: [Cleanup] = [], kernel: any Kernel = LonelyKernel(),
    meanwhile: (OrderedCleanups) -> Void = { _ in }
  ) throws -> (failures: [String], events: [String]) {
    let (failures, events, _) = try self.runAll(cleanups, adding: more, kernel: kernel, meanwhile: meanwhile)
    return (failures, events)
  }

  private func runAll(
    _ cleanups: [Cleanup], adding more: [Cleanup] = [], kernel: any Kernel,
    meanwhile: (OrderedCleanups) -> Void = { _ in }
  ) throws -> (failures: [String], events: [String], survivors: [String]) {
    let loop = try EventLoop()
    let ordered = OrderedCleanups(cleanups, kernel: kernel, loop: loop)
    for cleanup in more { ordered.add(cleanup) }
    var events: [String] = []
    ordered.whenHappened = { event in
      switch event {
      case .cleanupBegan(let name): events.append("\(name) began")
      case .cleanupEnded(let name, let failure): events.append("\(name) ended \(failure ?? "well")")
      default: break
      }
    }
    var failures: [String]?
    ordered.run { given in
      failures = given
      loop.stop()
    }
    meanwhile(ordered)
    loop.schedule(at: loop.now.advanced(by: .seconds(20))) { loop.stop() }
    try loop.run()
    return (try #require(failures), events, ordered.survivors)
  }

  private func closure(
    _ name: String, timeout: Duration = .seconds(10), _ body: @escaping @Sendable () throws -> Void
  ) -> Cleanup {
    .closure(ClosureCleanup(name: name, timeout: timeout, body: body))
  }

  @Test func theLastRegisteredRunsFirstWhateverItIs() throws {
    let record = Record()
    let command = Cleanup.command(CleanupCommand(name: "command", command: ["nothing"], timeout: .seconds(1)))
    let (failures, events) = try self.run(
      [command, self.closure("first") { record.add("first") }],
      adding: [self.closure("added") { record.add("added") }])
    #expect(record.all == ["added", "first"])
    #expect(failures.count == 1 && failures[0].hasPrefix("command: start"))
    #expect(
      events.prefix(5) == [
        "added began", "added ended well", "first began", "first ended well", "command began",
      ])
  }

  @Test func anErrorFailsItAndTheNextOneRuns() throws {
    let record = Record()
    let (failures, events) = try self.run([
      self.closure("after") { record.add("after") }, self.closure("bad") { throw Refusal() },
    ])
    #expect(failures == ["bad: refused"])
    #expect(record.all == ["after"])
    #expect(events.contains("bad ended refused"))
  }

  @Test func whatBlocksForEverIsLeftWhenItsTimeIsOver() throws {
    let record = Record()
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    let (failures, _) = try self.run([
      self.closure("after") { record.add("after") },
      self.closure("stuck", timeout: .milliseconds(50)) {
        var byte: UInt8 = 0
        _ = read(reading, &byte, 1)
        record.add("late")
        close(reading)
      },
    ])
    #expect(failures.count == 1 && failures[0].hasPrefix("stuck: not done within"))
    #expect(record.all == ["after"])
    // What ends after its time is nobody's news.
    close(writing)
  }

  @Test func killSkipsTheRest() throws {
    let record = Record()
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    let (failures, _) = try self.run([
      self.closure("after") { record.add("after") },
      self.closure("stuck") {
        var byte: UInt8 = 0
        _ = read(reading, &byte, 1)
        close(reading)
      },
    ]) { $0.kill() }
    #expect(failures == ["after: skipped", "stuck: left before it was done"])
    #expect(record.all.isEmpty)
    close(writing)
  }

  @Test func oneThatFailedIsNotItsNamesake() throws {
    let (failures, events) = try self.run([
      self.closure("twin") {}, self.closure("twin") { throw Refusal() },
    ])
    #expect(failures == ["twin: refused"])
    #expect(
      events == ["twin began", "twin ended refused", "twin began", "twin ended well"])
  }

  /// Has a child that has ended and that nobody has waited for.
  private final class ForgetfulKernel: LonelyKernel {
    private let child = ProcessIdentifier(4_000_000)
    private var isReaped = false

    override func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? {
      guard process == self.child, !self.isReaped else { return nil }
      return ProcessStatus(
        identity: ProcessIdentity(processIdentifier: process, startTime: 7), name: "forgotten",
        state: .zombie, parent: self.selfIdentifier, processGroup: process, session: process)
    }
    override func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] {
      process == self.selfIdentifier && !self.isReaped ? [self.child] : []
    }
    override func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
      self.isReaped = self.isReaped || child == self.child
      return .exited(0)
    }
  }

  @Test func aChildThatCodeHasNotWaitedForIsNoProcessLeftBehind() throws {
    let kernel = ForgetfulKernel()
    try #require(try kernel.descendants(of: kernel.selfIdentifier).count == 1)
    let (failures, events) = try self.run([self.closure("forgetful") {}], kernel: kernel)
    #expect(failures.isEmpty)
    #expect(events == ["forgetful began", "forgetful ended well"])
  }
}
