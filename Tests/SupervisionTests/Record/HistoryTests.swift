import Glibc
import ProcCtl
import Supervision
import SystemPackage
import TemporaryFiles
import Testing

/// Tells an account of lives what happens, in virtual time, and keeps what comes of it.
struct ToldHistory {
  var account: HistoryAccount
  private(set) var milliseconds: Int64 = 0
  private(set) var events: [WorkerEvent] = []

  init(_ workers: [(name: String, port: UInt16?)] = [("alpha", 8081)]) {
    self.account = HistoryAccount(workers: workers)
  }

  private var now: MonotonicInstant { MonotonicInstant(nanoseconds: self.milliseconds * 1_000_000) }
  private var wallClock: Microseconds { Microseconds(1_795_000_000_000_000 + self.milliseconds * 1000) }

  mutating func pass(_ milliseconds: Int64) { self.milliseconds += milliseconds }

  mutating func changed(
    _ state: WorkerState, _ why: String = "", pid: Int32? = nil, name: String = "alpha"
  ) {
    self.events += [
      self.account.workerChanged(name, state, why, pid: pid, at: self.now, wallClock: self.wallClock)
    ].compactMap(\.self)
  }

  mutating func happened(_ event: MasterEvent) {
    self.events += [self.account.happened(event, at: self.now, wallClock: self.wallClock)].compactMap(\.self)
  }

  mutating func runs(pid: Int32, readyAfter: Int64 = 20) {
    self.changed(.starting, pid: pid)
    self.pass(readyAfter)
    self.changed(.ready, pid: pid)
  }

  var history: WorkerHistory {
    var history = WorkerHistory()
    for event in self.events { history.add(event) }
    return history
  }
}

@Suite("The history of a worker")
struct HistoryAccountTests {
  @Test("a crash: who ended it, how long after it was ready, and when it is tried again")
  func crash() throws {
    var told = ToldHistory()
    told.runs(pid: 812)
    told.pass(3200)
    told.happened(
      .leaderEnded(
        worker: "alpha", .signaled(.segmentationFault, coreDumped: true), lastSent: nil))
    told.changed(.stopping, "ended by SIGSEGV (core dumped)", pid: 812)
    told.happened(.willTryAgain(worker: "alpha", after: .milliseconds(100)))
    told.changed(.backoff, "starts again in 100ms")
    #expect(told.events.map(\.kind) == [.started, .ready, .leaderEnded, .stopping, .waiting])
    #expect(told.events[0].start == 1 && told.events[0].pid == 812 && told.events[0].port == 8081)
    #expect(told.events[1].after == milliseconds(20))
    let end = told.events[2]
    #expect(end.signal == "SIGSEGV" && end.coreDumped == true && end.sent == nil)
    #expect(end.after == milliseconds(3200) && end.wasReady == true)
    #expect(told.events[3].cause == .leaderEnded && told.events[3].reason == nil)
    #expect(told.events[4].next == milliseconds(100))
  }

  @Test("why it is being ended: not ready in time, a check, a command, the end of all")
  func causes() {
    var never = ToldHistory()
    never.changed(.starting, pid: 1)
    never.changed(.stopping, "not ready within 5s", pid: 1)
    #expect(never.events.last?.cause == .neverReady)
    var unhealthy = ToldHistory()
    unhealthy.runs(pid: 1)
    unhealthy.changed(.stopping, "its check failed", pid: 1)
    #expect(unhealthy.events.last?.cause == .unhealthy)
    var commanded = ToldHistory()
    commanded.runs(pid: 1)
    commanded.happened(.commanded(worker: "alpha", .restart))
    commanded.changed(.stopping, "asked to stop", pid: 1)
    #expect(commanded.events.suffix(2).map(\.kind) == [.commanded, .stopping])
    #expect(commanded.events.last?.cause == .command)
    var shutdown = ToldHistory()
    shutdown.runs(pid: 1)
    shutdown.happened(.phaseBegan(.stopping))
    shutdown.changed(.stopping, "asked to stop", pid: 1)
    #expect(shutdown.events.last?.cause == .shutdown)
    // A command is over with the start it led to.
    commanded.changed(.starting, pid: 2)
    commanded.happened(.leaderEnded(worker: "alpha", .exited(1), lastSent: nil))
    commanded.changed(.stopping, "exited with status 1", pid: 2)
    #expect(commanded.events.last?.cause == .leaderEnded)
  }

  @Test("why it cannot be started; tries in a row are one, with the last pause")
  func blocked() {
    var told = ToldHistory()
    for pause in [1, 2, 4] {
      told.happened(.portBlocked(worker: "alpha", port: 8081, holder: "pid 9 (nginx)"))
      if pause == 1 { told.changed(.blocked, "port 8081 is held by pid 9 (nginx)") }
      told.happened(.willTryAgain(worker: "alpha", after: .seconds(pause)))
      told.pass(Int64(pause) * 1000)
    }
    let events = told.history.events(of: "alpha")
    #expect(events.map(\.kind) == [.blocked, .waiting])
    #expect(events[0].cause == .portBlocked && events[0].pid == nil)
    #expect(events[1].times == 3 && events[1].next == milliseconds(4000))
    var missing = ToldHistory()
    missing.happened(.startFailed(worker: "alpha", reason: "no such file"))
    missing.changed(.blocked, "no such file")
    #expect(missing.events.last?.cause == .cannotStart)
  }

  @Test("the last fifty of each are kept, and come back from their lines")
  func bounded() {
    var told = ToldHistory([("alpha", nil), ("beta", nil)])
    told.changed(.stopped, "\"quoted\"\n\u{1}", name: "beta")
    for pid in 1...60 { told.changed(.starting, pid: Int32(pid)) }
    let history = told.history
    #expect(history.events(of: "alpha").count == 50 && history.events(of: "alpha").last?.start == 60)
    #expect(history.events(of: "beta").count == 1)
    #expect(history.count == 51 && history.workers == ["beta", "alpha"])
    #expect(WorkerHistory(lines: history.lines) == history)
  }

  @Test("every member of an event comes back from its line; a line cut short is passed over")
  func line() {
    var event = WorkerEvent(worker: "a", at: Microseconds(1), kind: .leaderEnded)
    event.pid = 1
    event.port = 2
    event.start = 3
    event.after = Microseconds(4)
    event.wasReady = false
    event.cause = .cannotStart
    event.command = .restart
    event.exitStatus = 5
    event.signal = "SIGTERM"
    event.coreDumped = true
    event.sent = "SIGKILL"
    event.reason = "\u{1B}\\\"ü"
    event.next = Microseconds(6)
    event.times = 7
    event.boot = "b"
    event.configuration = "/c.toml"
    #expect(WorkerHistory(lines: event.line).events(of: "a") == [event])
    #expect(!Mirror(reflecting: event).children.contains { "\($0.value)" == "nil" }, "all are tried")
    #expect(WorkerHistory(lines: event.line.dropLast(3) + [10] + event.line).count == 1)
  }
}

@Suite("The file of a history")
struct HistoryFileTests {
  private let name = LedgerName(configuration: "x")

  private func event(_ number: Int, worker: String = "a") -> WorkerEvent {
    WorkerEvent(worker: worker, at: Microseconds(Int64(number)), kind: .stopped)
  }

  private func file(_ directory: borrowing TemporaryDirectory) throws -> HistoryFile {
    try HistoryFile(in: directory.path, name: self.name) { Issue.record("\($0)") }
  }

  @Test("grows by what is added, and the next master reads it")
  func appends() throws {
    let directory = try TemporaryDirectory()
    let first = try self.file(directory)
    first.add(self.event(1))
    #expect(try directory.text(HistoryFile.name(self.name)) == "", "nothing before it is flushed")
    first.flush()
    first.add(self.event(2))
    first.close()
    let second = try self.file(directory)
    #expect(second.history.events(of: "a").map(\.at.count) == [1, 2])
    second.close()
  }

  @Test("belongs to one master at a time")
  func locked() throws {
    let directory = try TemporaryDirectory()
    let first = try self.file(directory)
    #expect {
      _ = try HistoryFile(in: directory.path, name: LedgerName(configuration: "x")) { _ in }
    } throws: {
      "\($0)".contains("another master")
    }
    first.close()
    try self.file(directory).close()
  }

  @Test("is begun anew when it has outgrown what is kept, and after a line cut short")
  func renewed() throws {
    let directory = try TemporaryDirectory()
    let file = try self.file(directory)
    for number in 1...3000 {
      file.add(self.event(number))
      if number.isMultiple(of: 100) { file.flush() }
    }
    file.close()
    let lines = try directory.text(HistoryFile.name(self.name)).split(separator: "\n")
    #expect(lines.count < 2200 && lines.count >= 50)
    #expect(directory.names == [HistoryFile.name(self.name)])
    try directory.write(
      "{\"worker\":\"a\",\"at\":1,\"kind\":\"stopped\"}\n{\"wor", to: HistoryFile.name(self.name))
    let next = try self.file(directory)
    next.add(self.event(2))
    next.close()
    let whole = try directory.text(HistoryFile.name(self.name))
    #expect(WorkerHistory(lines: whole.utf8).events(of: "a").map(\.at.count) == [1, 2])
    #expect(!whole.contains("{\"wor\n") && whole.hasSuffix("\n"))
  }

  @Test("numbers that nobody can have written are no trouble")
  func absurdNumbers() {
    let line = "{\"worker\":\"alpha\",\"at\":1,\"kind\":\"waiting\",\"times\":\(Int.max)}\n"
    let history = WorkerHistory(lines: Array((line + line).utf8))
    #expect(history.events(of: "alpha").map(\.times) == [.max])
  }

  @Test("times that no clock shows are passed over; whatever else is there, there is something to say")
  func absurdTimes() {
    func line(_ kind: String, _ time: Int64) -> String {
      "{\"worker\":\"alpha\",\"at\":\(time),\"kind\":\"\(kind)\",\"after\":\(time),\"next\":\(time)}\n"
    }
    let limit = Int64(1) << 53
    for time in [Int64.max, .min, limit + 1, -limit - 1] {
      #expect(WorkerHistory(lines: Array(line("waiting", time).utf8)).workers.isEmpty)
    }
    for first in [limit, -limit] {
      for last in [limit, -limit] {
        for kind in ["started", "ready", "waiting", "blocked", "stopped", "failed", "leader-ended"] {
          let lines = line("started", first) + line("leader-ended", last) + line(kind, last)
          let history = WorkerHistory(lines: Array(lines.utf8))
          for now in [limit, -limit] {
            let story = WorkerStory(
              of: "alpha", in: history, masterLives: true, now: Microseconds(now))
            #expect(!story.sentences.isEmpty && story.earlier.count <= 2)
          }
        }
      }
    }
  }
}
