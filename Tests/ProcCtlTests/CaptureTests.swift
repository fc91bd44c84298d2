import ProcCtl
import SystemPackage
import Testing

@Suite struct CaptureTests {
  private func shell(_ script: String) -> Command {
    Command(.name("sh"), arguments: ["-c", ByteString(script)], standardInput: .null)
  }

  /// The pid a script printed.
  private func pid(in output: [UInt8]) throws -> ProcessIdentifier {
    ProcessIdentifier(try #require(Int32(decimal: output)))
  }

  private func isGone(_ pid: ProcessIdentifier) -> Bool {
    (try? LinuxKernel().status(of: pid)).map(\.isDead) ?? true
  }

  @Test func returnsWhatWasSaidAndHowItEnded() async throws {
    let run = try await capture(self.shell("printf out; printf err >&2; exit 7"))
    #expect(run.standardOutput == Array("out".utf8))
    #expect(run.standardError == Array("err".utf8))
    #expect(run.status == .exited(7))
    #expect(!run.outputLimitReached && !run.timeLimitReached)
  }

  @Test func statusesOfManyAtOnceDoNotMix() async throws {
    try await withThrowingTaskGroup(of: (Int32, TerminationStatus).self) { group in
      for status in 0..<60 as Range<Int32> {
        group.addTask { (status, try await capture(self.shell("exit \(status)")).status) }
      }
      for try await (expected, status) in group { #expect(status == .exited(expected)) }
    }
  }

  @Test func bytesAreNotInterpreted() async throws {
    let bytes: [UInt8] = [0xff, 0xfe, 0x80, 0x0a, 0xc3]
    let run = try await capture(
      Command(.name("printf"), arguments: ["%s", ByteString(bytes: bytes)], standardInput: .null))
    #expect(run.standardOutput == bytes)
  }

  @Test func theTimeLimitEndsAllOfIt() async throws {
    // It waits once more: with the first one killed before it, it would come to its end.
    let script = self.shell("setsid sleep 50 & echo $!; wait; exec sleep 50")
    for limit in [Duration.milliseconds(400), .seconds(4), .seconds(40)] {
      let run = try await capture(script, timeLimit: limit)
      #expect(run.timeLimitReached)
      #expect(run.status == .signaled(.kill, coreDumped: false))
      // A machine that stood still has not let it say anything: once more, with more time.
      if run.standardOutput.isEmpty { continue }
      return #expect(self.isGone(try self.pid(in: run.standardOutput)))
    }
    Issue.record("it never said whom it started")
  }

  @Test func theOutputLimitEndsIt() async throws {
    let run = try await capture(self.shell("yes"), timeLimit: .seconds(300), outputLimit: 1000)
    #expect(run.outputLimitReached && !run.timeLimitReached)
    #expect(run.standardOutput.count == 1000)
  }

  @Test func whatItLeavesBehindIsEndedAndItsPipeNotWaitedFor() async throws {
    let run = try await capture(self.shell("sleep 600 & echo $!"), timeLimit: .seconds(300))
    #expect(run.status == .exited(0) && !run.timeLimitReached)
    #expect(self.isGone(try self.pid(in: run.standardOutput)))
  }

  @Test func cancellingTheTaskEndsIt() async throws {
    let task = Task { try await capture(self.shell("sleep 50")) }
    task.cancel()
    #expect(try await task.value.status == .signaled(.kill, coreDumped: false))
  }

  @Test func aMissingProgramIsAnError() async {
    await #expect {
      _ = try await capture(Command(.name("no-such-program-at-all")))
    } throws: { error in
      let error = error as? ProcessError
      return error?.code == .commandNotFound && error?.underlyingError == .noSuchFileOrDirectory
    }
    await #expect {
      _ = try await capture(Command(.path("/etc/hostname")))
    } throws: { ($0 as? ProcessError)?.code == .commandNotExecutable }
  }

  @Test func anErrorBeforeTheExecNamesItsStage() async {
    await #expect {
      _ = try await capture(Command(.name("true"), directory: "/no/such/directory"))
    } throws: { error in
      let error = error as? ProcessError
      return error?.code == .spawn && error?.operation.contains("directory") == true
    }
    await #expect {
      var command = Command(.name("true"))
      command.setup.outOfMemoryScore = 5000
      _ = try await capture(command)
    } throws: { ($0 as? ProcessError)?.operation.contains("out-of-memory") == true }
  }

  @Test func aChildStartsWithDefaultSignalsAndNoDescriptors() async throws {
    var command = self.shell("grep -E 'SigBlk|SigIgn' /proc/self/status; ls /proc/self/fd | tr '\\n' ' '")
    for viaSetup in [false, true] {
      if viaSetup { command.setup.umask = 0o27 }
      let text = String(decoding: try await capture(command).standardOutput, as: UTF8.self)
      #expect(text.contains("SigBlk:\t0000000000000000"), "\(text)")
      // glibc's posix_spawn leaves its own two signals, 32 and 33, ignored.
      let ignored = try #require(text.split(separator: "\n").first { $0.hasPrefix("SigIgn:") }).dropFirst(8)
      let glibcsOwn: UInt64 = viaSetup ? 0 : 0x1_8000_0000
      #expect(try #require(UInt64(ignored, radix: 16)) & ~glibcsOwn == 0, "\(text)")
      // 3 is the directory that ls itself reads.
      #expect(text.hasSuffix("0 1 2 3 "), "\(text)")
    }
  }

  @Test func theSetupArrives() async throws {
    var command = self.shell("umask; ulimit -n; nice; grep NoNewPrivs /proc/self/status; pwd")
    command.directory = "/usr"
    command.setup.umask = 0o27
    command.setup.nice = 3
    command.setup.noNewPrivileges = true
    let nofile = try #require(Resource(name: "nofile"))
    command.setup.limits = [ChildSetup.Limit(nofile, soft: 77, hard: 78)]
    let text = String(decoding: try await capture(command).standardOutput, as: UTF8.self)
    #expect(text == "0027\n77\n3\nNoNewPrivs:\t1\n/usr\n")
  }
}
