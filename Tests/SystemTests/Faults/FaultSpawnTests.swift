import Glibc
import Testing

/// `procctl spawn` with every call that it makes failing, one at a time.
extension SystemTests {
  @Suite struct FaultSpawnTests {
    /// The two ways to a child (Spawner.swift), each with a leftover to be ended.
    enum Way: String, CaseIterable, CustomTestStringConvertible {
      case posixSpawn
      case childTarget

      var testDescription: String { self.rawValue }

      static let status: Int32 = 42

      func arguments(_ session: TestSession) throws -> [Bytes] {
        let leaves: [Bytes] = ["child", "session", "hold", "end", "exit", "\(Self.status)"]
        switch self {
        case .posixSpawn:
          return ["spawn", "--grace", "1s", "--", Bytes(Programs.workload)] + leaves
        case .childTarget:
          let port = "\(try session.freePort())"
          return [
            "spawn", "--grace", "1s", "--user", "nobody", "--ambient-caps", "net_bind_service", "--limit",
            "nofile=256:512", "--contain", "cgroup", "--no-new-privs", "--chdir", "/", "--name", "faulty",
            "--port", Bytes(port), "--", Bytes(try session.publicWorkload()),
          ] + leaves
        }
      }
    }

    /// The faults of a way that one test case takes.
    struct Part: Sendable {
      static let all = Way.allCases.flatMap { way in FaultyRun.parts.map { Part(way: way, number: $0) } }
      var way: Way
      var number: Int
    }

    @Test(
      .needs(.root, "the child's user is changed"), .needs(.cgroup, "the child gets one"),
      arguments: Part.all, FaultCatalogue.calls)
    func oneFault(part: Part, call: String) async throws {
      let way = part.way
      let count = try await CallCounts.shared.of(way.rawValue) { try await self.run(way, []) }[call] ?? 0
      let turn = way == .posixSpawn ? 0 : 1
      let faults = FaultCatalogue.faults(of: call, count: count, all: FaultyRun.isExhaustive, turn: turn)
      for (number, fault) in faults.enumerated() where number % FaultyRun.parts.count == part.number {
        _ = try await self.run(way, [fault])
      }
    }

    /// Not once, but whenever it is tried.
    @Test(
      .needs(.root, "the child's user is changed"), .needs(.cgroup, "the child gets one"),
      arguments: Way.allCases, FaultCatalogue.calls)
    func forEver(way: Way, call: String) async throws {
      let counts = try await CallCounts.shared.of(way.rawValue) { try await self.run(way, []) }
      guard counts[call] != nil else { return }
      // Almost all of it is the same for both, so a sample takes what only this one calls.
      if way == .posixSpawn, !FaultyRun.isExhaustive {
        let others = try await CallCounts.shared.of(Way.childTarget.rawValue) {
          try await self.run(.childTarget, [])
        }
        if others[call] != nil { return }
      }
      for fault in FaultCatalogue.lasting(of: call, all: FaultyRun.isExhaustive) {
        _ = try await self.run(way, [fault])
      }
    }

    /// A list of children that cannot be read is not an empty one.
    @Test(arguments: ["/children", "/stat"])
    func lookingOftenFails(path: String) async throws {
      let record = try await self.run(.posixSpawn, [Fault("open", about: path, .every(5), "EMFILE")])
      #expect(!record.tampered.isEmpty)
      let clean = try await self.run(.posixSpawn, [])
      #expect(clean.tampered.isEmpty)
    }

    /// Nobody is waked by a timer that could not be set, so the wait itself has to end.
    @Test func aTimerCannotBeSet() async throws {
      try await withSession { session in
        let run = FaultyRun(session, [Fault("timerfd_settime", .from(1), "ENOMEM")])
        let command: [Bytes] = ["ignore", "TERM", "hold"]
        let process = try run.start(
          ["spawn", "--timeout", "300ms", "--grace", "200ms", "--", Bytes(Programs.workload)] + command)
        let result = try await process.end()
        #expect(result.ending == .exited(124))
        #expect(run.record.tampered.count >= 2)
      }
    }

    /// As in a sandbox: then nobody's end would ever be noticed.
    @Test func waitingIsForbidden() async throws {
      try await withSession { session in
        let run = FaultyRun(session, [Fault("waitid", .from(1), "EPERM")])
        let result = try await run.start(try Way.posixSpawn.arguments(session)).end()
        #expect(result.ending == .exited(125))
        #expect(result.errors == "procctl: spawn: wait for children: Operation not permitted\n")
      }
    }

    /// It cannot be said that nobody is left, so it is not said.
    @Test func nobodyCanLook() async throws {
      try await withSession { session in
        let run = FaultyRun(session, [Fault("open", about: "/children", .from(3), "EMFILE")])
        let result = try await run.start(try Way.posixSpawn.arguments(session)).end()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("find out whether somebody is left: read /proc/"))
        #expect(result.errors.contains("/children: Too many open files"))
        #expect(try await run.leaks().count == 1)
        try await session.sweep()
      }
    }

    /// The cgroup is killed without looking, and that nobody is left is the kernel's word.
    @Test(.needs(.root, "the child's user is changed"), .needs(.cgroup, "the child gets one"))
    func nobodyCanLookButThereIsACgroup() async throws {
      try await withSession { session in
        let run = FaultyRun(session, [Fault("open", about: "/children", .from(3), "EMFILE")])
        let result = try await run.start(try Way.childTarget.arguments(session)).end()
        #expect(result.ending == .exited(Way.status))
        #expect(result.errors == "")
      }
    }

    private func run(_ way: Way, _ faults: [Fault]) async throws -> FaultRecord {
      var record = FaultRecord(path: "")
      try await withSession { session in
        let run = FaultyRun(session, faults)
        let process = try run.start(try way.arguments(session))
        let result = try? await process.end(within: FaultyRun.limit)
        record = run.record
        // What can be removed at no time may stay, but not in silence.
        let isLasting = faults.contains { $0.lasts || $0.call == "flock" }
        try await run.judge(result) {
          isLasting && $0.isNamed(in: result?.errors ?? "")
        } lies: {
          self.lies($0, faults)
        }
      }
      return record
    }

    private func lies(_ result: TestProcess.Result, _ faults: [Fault]) -> [String] {
      var problems = FaultyRun.crash(of: result)
      guard case .exited(let status) = result.ending else { return problems }
      // Only what has to do with the file may say that the file is at fault.
      let execution: Set<String> = ["execve", "posix_spawn", "access", "stat"]
      switch status {
      case Way.status: break
      case 125: break
      case 126, 127:
        if !faults.contains(where: { execution.contains($0.call) }) { problems.append("wrong status") }
        let missing = faults.contains { $0.effect == "ENOENT" }
        if (status == 127) != missing { problems.append("126 and 127 taken for each other") }
      default: problems.append("wrong status")
      }
      let isMute = faults.contains { $0.call == "write" && $0.lasts }
      if status != Way.status, !isMute, !result.errors.hasPrefix("procctl: ") {
        problems.append("does not say why")
      }
      if faults.isEmpty, status != Way.status { problems.append("not clean without a fault") }
      return problems
    }
  }
}
