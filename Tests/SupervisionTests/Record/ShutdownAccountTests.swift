import ProcCtl
import Supervision
import SystemPackage
import Testing

/// Tells an account what happens, in virtual time.
struct ToldAccount {
  var account: ShutdownAccount
  private(set) var milliseconds: Int64 = 0

  init(_ workers: [(name: String, port: UInt16?)]) {
    self.account = ShutdownAccount(configuration: "/etc/web.toml", master: 77, workers: workers)
  }

  var now: MonotonicInstant { MonotonicInstant(nanoseconds: 5_000_000_000 + self.milliseconds * 1_000_000) }

  mutating func pass(_ milliseconds: Int64) { self.milliseconds += milliseconds }

  mutating func happened(_ event: MasterEvent) {
    self.account.happened(event, at: self.now, wallClock: Microseconds(1_795_000_000_000_000))
  }

  mutating func changed(_ name: String, _ state: WorkerState, _ why: String = "", pid: Int32? = nil) {
    self.account.workerChanged(name, state, why, pid: pid, at: self.now)
  }
}

func milliseconds(_ count: Int64) -> Microseconds { Microseconds(count * 1000) }

@Suite("The account of a shutdown")
struct ShutdownAccountTests {
  private func stopped() -> ShutdownAccount {
    var told = ToldAccount([("alpha", 8081), ("beta", nil), ("gone", nil)])
    told.changed("alpha", .ready, pid: 11)
    told.changed("beta", .ready, pid: 22)
    told.changed("gone", .stopped)
    told.pass(1000)
    told.happened(.phaseBegan(.stopping))
    told.account.stopBegan("SIGTERM from pid 1", budget: .seconds(30))
    told.changed("alpha", .stopping, "asked to stop", pid: 11)
    told.happened(.requested(worker: "alpha", StopRequest(method: "POST", path: "/shutdown")))
    told.happened(.clientsChanged(worker: "alpha", connected: 3))
    told.changed("beta", .stopping, "asked to stop", pid: 22)
    told.happened(.signalled(worker: "beta", .terminate, processes: 2))
    told.pass(5)
    told.happened(.answered(worker: "alpha", refusal: nil))
    told.happened(.clientsChanged(worker: "alpha", connected: 0))
    told.pass(5)
    told.happened(.leaderEnded(worker: "alpha", .exited(0), lastSent: nil))
    for _ in 0..<3 { told.happened(.portVerified(worker: "alpha", port: 8081, holder: "pid 9")) }
    told.happened(.portVerified(worker: "alpha", port: 8081, holder: nil))
    told.changed("alpha", .stopped)
    told.pass(90)
    told.happened(.signalled(worker: "beta", .kill, processes: 2))
    told.happened(.signalled(worker: "beta", .kill, processes: 1))
    told.happened(
      .leaderEnded(worker: "beta", .signaled(.kill, coreDumped: false), lastSent: .kill))
    told.changed("beta", .stopped)
    told.happened(.phaseBegan(.sweeping))
    told.pass(1)
    told.happened(.phaseBegan(.cleaning))
    told.happened(.cleanupBegan("flush"))
    told.pass(20)
    told.happened(.cleanupEnded("flush", failure: "exited with status 1"))
    told.happened(.phaseBegan(.ended))
    var outcome = ShutdownOutcome()
    outcome.killed = ["beta"]
    outcome.failedCleanups = ["flush: exited with status 1"]
    told.account.ended(outcome, at: told.now)
    return told.account
  }

  @Test("has what happened, with the times it happened at")
  func whole() throws {
    let record = try #require(self.stopped().record)
    #expect(record.version == 1 && record.configuration == "/etc/web.toml" && record.master == 77)
    #expect(record.reason == "SIGTERM from pid 1" && record.budget == milliseconds(30_000))
    #expect(record.began == Microseconds(1_795_000_000_000_000))
    #expect(record.duration == milliseconds(121))
    #expect(
      record.exitStatus == 6
        && record.summary == "beta needed KILL; cleanup failed: flush: exited with status 1")

    #expect(record.phases.map(\.name) == ["stopping", "sweeping", "cleaning"])
    #expect(record.phases.map(\.start) == [0, 100, 101].map { milliseconds($0) })
    #expect(record.phases.map(\.duration) == [100, 1, 20].map { milliseconds($0) })
    #expect(record.phases.map(\.outcome) == ["3 of 3 workers ended", "nobody left", "1 failed"])

    let alpha = record.workers[0]
    #expect(alpha.states.map(\.state) == ["ready", "stopping", "stopped"])
    #expect(alpha.states.map(\.at) == [0, 0, 10].map { milliseconds($0) })
    #expect(alpha.requests.count == 1 && alpha.requests[0].answered == milliseconds(5))
    #expect(alpha.requests[0].refusal == nil)
    #expect(alpha.clients.map(\.connected) == [3, 0])
    #expect(alpha.portChecks.map(\.looks) == [3, 1] && alpha.portChecks.map(\.holder) == ["pid 9", nil])
    #expect(alpha.leaderEnd?.exitStatus == 0 && alpha.force == "none" && alpha.duration == milliseconds(10))

    let beta = record.workers[1]
    #expect(beta.signals.map(\.signal) == ["SIGTERM", "SIGKILL"])
    #expect(beta.signals.map(\.processes) == [2, 2] && beta.signals.map(\.times) == [1, 2])
    #expect(beta.leaderEnd?.signal == "SIGKILL" && beta.leaderEnd?.exitStatus == nil)
    #expect(beta.force == "kill" && beta.duration == milliseconds(100))

    #expect(record.workers[2].states.map(\.state) == ["stopped"])
    #expect(record.workers[2].duration == milliseconds(0))
    let cleanup = try #require(record.cleanups.first)
    #expect(cleanup.name == "flush" && cleanup.start == milliseconds(101))
    #expect(cleanup.duration == milliseconds(20) && cleanup.failure == "exited with status 1")
  }

  @Test("there is none before a stop begins")
  func none() {
    var told = ToldAccount([("alpha", nil)])
    told.changed("alpha", .starting, pid: 1)
    told.happened(.signalled(worker: "alpha", .terminate, processes: 1))
    told.account.ended(ShutdownOutcome(), at: told.now)
    #expect(told.account.record == nil)
  }

  @Test("comes back from its JSON as it was, whose keys are in snake case")
  func json() throws {
    let record = try #require(self.stopped().record)
    let directory = try TemporaryDirectory()
    let name = LedgerName(configuration: "x")
    try RecordFile.write(record, in: directory.path, name: name)
    #expect(try RecordFile.newest(in: [directory.path], name: name) == record)
    let text = String(decoding: RecordFile.encoded(record), as: UTF8.self)
    #expect(text.contains("\"exit_status\":6") && text.contains("\"port_checks\":[{\"at\":10000,"))
    #expect(!text.contains("exitStatus"))
  }

  @Test("the last four are kept; one that is damaged, or of another version, is said to be")
  func kept() throws {
    let directory = try TemporaryDirectory()
    let name = LedgerName(configuration: "x")
    for number in 1...6 {
      let record = ShutdownRecord(
        configuration: "x", master: Int32(number), began: Microseconds(Int64(number)))
      try RecordFile.write(record, in: directory.path, name: name)
    }
    let masters = try (0..<6).map {
      try RecordFile.newest(in: [directory.path], name: name, back: $0)?.master
    }
    #expect(masters == [6, 5, 4, 3, nil, nil])
    #expect(try RecordFile.newest(in: [directory.path], name: LedgerName(configuration: "y")) == nil)
    let file = directory.path.appending(RecordFile.name(name))
    try directory.write("{\"version\":1", to: RecordFile.name(name))
    #expect {
      try RecordFile.read(file)
    } throws: {
      "\($0)".contains("which is no record")
    }
    var future = ShutdownRecord(configuration: "x", master: 1, began: Microseconds(0))
    future.version = 2
    try RecordFile.write(future, in: directory.path, name: name)
    #expect {
      try RecordFile.read(file)
    } throws: {
      "\($0)".contains("another version")
    }
  }

  @Test("a record that cannot be written leaves the older ones, and no draft")
  func unwritable() throws {
    let directory = try TemporaryDirectory()
    let name = LedgerName(configuration: "x")
    let record = ShutdownRecord(configuration: "x", master: 1, began: Microseconds(0))
    #expect(throws: ProcessError.self) {
      try RecordFile.write(record, in: directory.path.appending("missing"), name: name)
    }
    #expect(directory.names.isEmpty)
  }
}

@Suite("A look at the system")
struct SystemSnapshotTests {
  @Test("sees this process, and says so in one line")
  func own() {
    let usage = OwnUsage.current()
    #expect((usage.residentMemory ?? 0) > 1 << 20)
    #expect((usage.proportionalMemory ?? 0) > 1 << 19)
    #expect((usage.threads ?? 0) > 0 && (usage.descriptors ?? 0) > 2 && usage.load.count == 3)
    var snapshot = SystemSnapshot()
    snapshot.residentMemory = 4 << 20
    snapshot.threads = 1
    snapshot.connections = [.init(port: 8081, count: 2)]
    snapshot.childCount = 40
    snapshot.children = [.init(pid: 7, state: "S", name: "a")]
    #expect(
      snapshot.summary == "4096 kB resident, 1 thread, connections: 2 on 8081, children: 7 S a and 39 more")
  }
}
