import Glibc
import Testing

extension SystemTests {
  /// Processes that stand still, or are held by others.
  @Suite struct HostileStandstill {
    static let workloads: [HostileWorkload] = [
      HostileWorkload(
        name: "a parent that waits in vfork, uninterruptibly",
        actions: [
          "daemonize", "ignore", "TERM", "vfork", "session", "tell", "FIFO", "hidden", "end", "end",
        ])
    ]

    @Test("a stopped process that would obey is continued, and obeys", arguments: Keeper.possible)
    func stoppedObedient(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let process = try keeper.start(
          session,
          [
            "child", "session", "exit-on", "TERM", "0", "tell", path, "below", "stop-group", "end",
            "exit-on", "TERM", "0", "tell", path, "leader",
          ], grace: "20s")
        let announced = try #require(try await fifo.expect("below", "leader")["below"])
        let below = try session.outside(announced, keeper.containment)
        try await session.untilState(of: below, is: "T")
        let stopwatch = Stopwatch()
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(0))
        #expect(stopwatch.elapsed < .seconds(10), "without waiting for the grace")
      }
    }

    private static let stopped = HostileWorkload(
      name: "a stopped session, and a stopped process group with the leader in it",
      actions: [
        "child", "session", "ignore", "TERM", "tell", "FIFO", "hidden", "end",
        "child", "ignore", "TERM", "tell", "FIFO", "hidden", "end",
      ], hidden: 2, leader: ["ignore", "TERM"], status: 128 + SIGKILL)

    private static func stop(_ session: TestSession, _ hidden: [pid_t]) async throws {
      for pid in hidden {
        let process = try #require(ProcTable.process(pid))
        // The leader's group only for those in it: a keeper's group is not theirs.
        for target in [pid, process.group] {
          kill(target, SIGSTOP)
          try await session.untilState(of: target, is: "T")
        }
      }
    }

    @Test("nobody is left of stopped processes that are deaf", arguments: Keeper.possible)
    func stopped(_ keeper: Keeper) async throws {
      try await Self.stopped.end(with: keeper) { session, hidden in try await Self.stop(session, hidden) }
    }

    // MARK: Frozen

    @Test(
      "in a frozen cgroup of version 2 below its own it is killed", .needs(.cgroup, "to freeze it"),
      arguments: Keeper.possible)
    func frozen(_ keeper: Keeper) async throws {
      let workload = HostileWorkload(
        name: "frozen",
        actions: ["daemonize", "exit-on", "TERM", "0", "burrow", "1", "tell", "FIFO", "hidden", "end"])
      try await workload.end(with: keeper) { session, hidden in
        let line = try #require(ProcTable.text("/proc/\(hidden[0])/cgroup")).split(separator: "\n")
          .first { $0.hasPrefix("0::") }
        let name = try #require(line).dropFirst(3)
        let top = try #require(session.cgroup).path
        let mark = try #require(top.split(separator: "/").last)
        // Whatever the mount shows as the root, both have the session's own cgroup in their path.
        let inside = try #require(name.split(separator: mark, maxSplits: 1).last)
        try ControlFile.write("1", to: "\(top)\(inside)/cgroup.freeze")
        try await session.until("it is frozen") {
          (ProcTable.text("\(top)\(inside)/cgroup.events") ?? "").contains("frozen 1")
        }
      }
    }

    @Test(
      "frozen by version 1 it cannot be killed: it is named, with the reason, and dies when thawed",
      .needs(.root, "a freezer"), .enabled(if: Freezer.parent != nil, "a freezer of version 1"))
    func frozenForGood() async throws {
      try await concurrently(Keeper.verbs) { keeper in try await Self.frozenForGood(keeper) }
    }

    private static func frozenForGood(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let freezer = try Freezer()
        let process = try keeper.start(
          session,
          [
            "daemonize", "join", Bytes(freezer.path), "tell", path, "hidden", "end", "exit-on", "TERM", "0",
            "tell", path, "leader",
          ])
        let hidden = try #require(try await fifo.expect("hidden", "leader")["hidden"])
        try await freezer.freeze(session)
        process.send(SIGTERM)
        let result = try await process.end()
        // Control, and the truth of the report: it is there.
        #expect(session.members().map(\.pid) == [hidden])
        #expect(result.ending == keeper.endingWithSurvivors)
        let line = result.errors.split(separator: "\n").first {
          $0.contains("pid \(hidden)") && $0.contains("frozen")
        }
        #expect(line != nil, "\(result.errors)")
        try freezer.thaw()
        try await session.untilEnd(of: hidden)
        try await freezer.remove(session)
      }
    }

    // MARK: Traced

    @Test("traced by somebody of the same set, stopped or not, it ends", arguments: [false, true])
    func tracerInside(_ stop: Bool) async throws {
      try await concurrently(Keeper.possible) { try await self.tracerInside(stop, $0) }
    }

    private func tracerInside(_ stop: Bool, _ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        // The daemon's pid is known only when it runs: the shell hands it on.
        let script =
          "read word pid < \"\(try session.announcements("pid").path)\"; "
          + "exec \"$0\" ignore TERM trace\(stop ? "-stop" : "") $pid tell \"$1\" tracer"
        let process = try keeper.start(
          session,
          [
            "daemonize", "ignore", "TERM", "tell", Bytes(session.path("pid")), "traced", "end",
            "child", "session", "exec", "/bin/sh", "-c", Bytes(script), Bytes(Programs.workload), path, "end",
            "exit-on", "TERM", "0", "tell", path, "leader",
          ])
        let announced = try #require(try await fifo.expect("tracer", "leader")["tracer"])
        let tracer = try session.outside(announced, keeper.containment)
        let traced = try #require(
          session.members().first { ProcTable.status($0.pid, "TracerPid") == "\(tracer)" })
        #expect(ProcTable.process(traced.pid)?.state == (stop ? "t" : "S"))
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(session.members().isEmpty, "\(keeper.testDescription)")
        #expect(
          result.ending == keeper.ending(afterKilling: 0), "\(keeper.testDescription): \(result.errors)")
      }
    }

    @Test(
      "traced from outside it is killed, but its zombie is the tracer's: it is named, with the tracer",
      .needs(.root, "to trace who is no child"))
    func tracerOutside() async throws {
      try await concurrently(Keeper.verbs) { keeper in try await Self.tracerOutside(keeper) }
    }

    private static func tracerOutside(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let process = try keeper.start(
          session,
          [
            "daemonize", "ignore", "TERM", "tell", path, "below", "end", "ignore", "TERM", "tell", path,
            "leader",
          ])
        let said = try await fifo.expect("below", "leader")
        var tracers: [pid_t: TestProcess] = [:]
        for traced in said.values {
          tracers[traced] = try session.workload(["trace", "\(traced)", "tell", path, "tracer"])
          try await fifo.expect("tracer")
        }
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(Set(session.members().map(\.pid)) == Set(tracers.values.map(\.pid)), "nobody else runs")
        #expect(result.ending == keeper.endingWithSurvivors)
        for (traced, tracer) in tracers {
          #expect(ProcTable.process(traced)?.state == "Z", "it runs no more")
          let text = "pid \(traced) (test-workload), Z, traced by pid \(tracer.pid) (test-workload)"
          #expect(result.errors.contains(text), "\(result.errors)")
          tracer.send(SIGKILL)
          try await tracer.end()
        }
      }
    }

    @Test(
      "a tracer from outside that lets go in time delays the end and nothing more",
      .needs(.root, "to trace who is no child"), arguments: Keeper.possible)
    func tracerLetsGo(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let process = try keeper.start(
          session,
          ["daemonize", "tell", path, "below", "end", "exit-on", "TERM", "0", "tell", path, "leader"])
        let announced = try #require(try await fifo.expect("below", "leader")["below"])
        let traced = try session.outside(announced, keeper.containment)
        let tracer = try session.workload(["trace", "\(traced)", "tell", path, "tracer"])
        try await fifo.expect("tracer")
        process.send(SIGTERM)
        try await session.untilState(of: traced, is: "Z")
        #expect(ProcTable.process(process.pid)?.isZombie == false, "it waits")
        tracer.send(SIGKILL)
        try await tracer.end()
        let result = try await process.end()
        // What is traced stops when a signal comes, and only KILL passes the tracer by (ptrace(2)).
        #expect(result.ending == keeper.ending(afterKilling: 0), "\(result.errors)")
      }
    }
  }
}

/// A cgroup with the freezer of version 1: what is frozen in it ignores even KILL (cgroups(7)).
final class Freezer: Sendable {
  let path: String

  static let parent: String? = {
    for line in (ProcTable.text("/proc/self/mountinfo") ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 3, fields[dash + 1] == "cgroup",
        fields[dash + 3].split(separator: ",").contains("freezer")
      else { continue }
      return access(String(fields[4]), W_OK) == 0 ? String(fields[4]) : nil
    }
    return nil
  }()

  init() throws {
    guard let parent = Self.parent else { throw WaitError("there is no freezer") }
    self.path = "\(parent)/procctl-test-freezer-\(UInt64.random(in: .min ... .max))"
    guard mkdir(self.path, 0o755) == 0 else { throw WaitError("mkdir \(self.path): \(errno)") }
  }

  func freeze(_ session: TestSession) async throws {
    try ControlFile.write("FROZEN", to: "\(self.path)/freezer.state")
    try await session.until("it is frozen") { ProcTable.text("\(self.path)/freezer.state") == "FROZEN\n" }
  }

  func thaw() throws { try ControlFile.write("THAWED", to: "\(self.path)/freezer.state") }

  func remove(_ session: TestSession) async throws {
    try await session.until("nobody is in it") { rmdir(self.path) == 0 }
  }

  /// Whatever a failed test has left frozen could not be cleaned up otherwise.
  deinit { try? self.thaw() }
}
