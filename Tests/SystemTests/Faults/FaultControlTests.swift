import Glibc
import Testing

/// That Tests/FaultInjection does what the other tests rely on, and nothing else.
extension SystemTests {
  @Suite struct FaultControlTests {
    private func spawn(
      _ faults: [Fault], _ options: [Bytes] = [], command: [Bytes] = ["/bin/true"]
    ) async throws -> (result: TestProcess.Result, record: FaultRecord) {
      var ended: (TestProcess.Result, FaultRecord)?
      try await withSession { session in
        let run = FaultyRun(session, faults)
        let result = try await run.start(["spawn"] + options + ["--"] + command).end()
        ended = (result, run.record)
      }
      return try #require(ended)
    }

    @Test func withoutAFaultTheRunIsClean() async throws {
      let (result, record) = try await self.spawn([])
      #expect(result.ending == .exited(0))
      #expect(result.errors == "")
      #expect(record.count(of: "posix_spawn") == 1)
      #expect(record.count(of: "waitid") > 0)
      #expect(record.tampered.isEmpty)
    }

    @Test(arguments: [([], "posix_spawn"), (["--no-new-privs"], "clone")] as [([Bytes], String)])
    func withoutChildrenTheRunFailsAndNamesTheStage(options: [Bytes], call: String) async throws {
      let (result, record) = try await self.spawn([Fault(call, .from(1), "EAGAIN")], options)
      #expect(result.ending == .exited(125))
      #expect(
        result.errors == "procctl: spawn: make a child process: Resource temporarily unavailable\n")
      #expect(record.tampered.map(\.call) == [call])
      #expect(record.tampered.map(\.effect) == ["EAGAIN"])
    }

    /// Between clone and execve, on memory that is shared with procctl.
    @Test func theChildIsReachedToo() async throws {
      let (result, record) = try await self.spawn([Fault("setsid", .nth(1), "EPERM")], ["--no-new-privs"])
      #expect(result.ending == .exited(125))
      #expect(result.errors == "procctl: spawn: start the child's session: Operation not permitted\n")
      #expect(record.tampered.map(\.call) == ["setsid"])
    }

    @Test func aCallBySyscallGoesByItsName() async throws {
      let (result, _) = try await self.spawn([Fault("capset", .nth(1), "EPERM")], ["--ambient-caps", "kill"])
      #expect(result.ending == .exited(125))
      #expect(result.errors == "procctl: spawn: set the child's capabilities: Operation not permitted\n")
    }

    @Test func onlyTheCallsMeantAreHit() async throws {
      let (_, record) = try await self.spawn([
        Fault("open", about: "/stat", .every(2), "EIO"), Fault("close", .from(4), "EIO"),
      ])
      let hit = record.tampered
      #expect(hit.allSatisfy { $0.call == "close" && $0.index >= 4 || $0.detail.hasSuffix("/stat") })
      #expect(hit.count { $0.call == "close" } == record.count(of: "close") - 3)
      #expect(
        hit.count { $0.call == "open" }
          == record.entries.count { $0.call == "open" && $0.detail.hasSuffix("/stat") } / 2)
    }

    @Test func aCallCanBeDelayed() async throws {
      let (result, record) = try await self.spawn([Fault("posix_spawn", .nth(1), "delay:400")])
      #expect(result.ending == .exited(0))
      #expect(result.duration >= .milliseconds(400))
      #expect(record.tampered.count == 1)
    }

    /// A whole line is read and written in pieces then, and arrives.
    @Test func aCallCanBeShort() async throws {
      let (result, record) = try await self.spawn(
        [Fault("write", .from(1), "short"), Fault("read", .from(1), "short")], command: ["/nowhere/at-all"])
      #expect(result.ending == .exited(127))
      #expect(result.errors == "procctl: spawn: execute /nowhere/at-all: No such file or directory\n")
      #expect(record.tampered.count { $0.call == "write" } > 3)
    }

    @Test func theCommandIsLeftAlone() async throws {
      let (result, _) = try await self.spawn([], command: ["/usr/bin/env"])
      #expect(!result.outputText.contains("LD_PRELOAD"))
      #expect(!result.outputText.contains("PROCCTL_FAULTS"))
      #expect(result.outputText.contains("PROCCTL_TEST="))
    }

    /// Another program with the same environment: the workload in front of procctl, say.
    @Test func otherProgramsAreLeftAlone() async throws {
      try await withSession { session in
        var launch = Launch(Programs.workload, ["exit", "7"])
        launch.environment =
          FaultPlan(faults: [Fault("open", .from(1), "EIO")], record: session.path("calls")).environment
        let result = try await session.start(launch).end()
        #expect(result.ending == .exited(7))
        #expect(access(session.path("calls"), F_OK) != 0)
      }
    }

    @Test(arguments: ["open@=EIO", "open@0=EIO", "open@1=EWRONG", "nothing@1=EIO", "open@%2+=EIO", "open"])
    func aPlanThatMakesNoSenseEndsTheProgram(clause: String) async throws {
      try await withSession { session in
        var launch = Launch(Programs.procctl, ["spawn", "--", "/bin/true"])
        launch.environment = ["LD_PRELOAD=\(FaultPlan.library)", "PROCCTL_FAULTS=\(clause)"]
        let result = try await session.start(launch).end()
        #expect(result.ending == .exited(97))
        #expect(result.errors == "fault injection: cannot read: \(clause)\n")
      }
    }
  }
}
