import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: the exit status that says how the stop went.
  @Suite struct MasterStopStatus {
    /// For who does not obey: each step is waited for in vain.
    private let asked =
      "stop = [ { request = \"POST /shutdown\", wait = \"300ms\" }, { signal = \"TERM\", wait = \"300ms\" }, { signal = \"INT\", wait = \"300ms\" }, { signal = \"KILL\" } ]"
    /// Who obeys has all the time a machine that stands still takes from it, and the stop still ends at once.
    private func waits(_ request: String) -> String {
      "stop = [ { request = \"POST /shutdown\", wait = \"\(request)\" }, { signal = \"TERM\", wait = \"12s\" }, { signal = \"KILL\" } ]"
    }

    @Test("0: a worker that was asked and went, by request or by its first signal")
    func clean() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "asked", ["ignore", "TERM", "http", "{port}"], port: port, ready: "tcp", self.waits("12s")),
            TestWorker(
              "told", ["exit-on", "TERM", "0"], "stop = [ { signal = \"TERM\", wait = \"20s\" } ]"),
            TestWorker("dies", ["hold"], "stop = [ { signal = \"TERM\", wait = \"20s\" } ]"),
          ])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(took < MasterRun.soon)
      }
    }

    @Test("2: a worker that was asked needed TERM")
    func neededTerminate() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["http-stubborn", "{port}"], port: port, ready: "tcp", self.waits("300ms"))
          ])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(2))
        #expect(took >= .milliseconds(300) && took < MasterRun.soon)
      }
    }

    @Test("2: a worker without a stop request obeyed only its second signal")
    func neededInterrupt() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["ignore", "TERM", "tell", Bytes(fifo.path), "up"],
              "stop = [ { signal = \"TERM\", wait = \"200ms\" }, { signal = \"INT\", wait = \"5s\" } ]")
          ])
        try await fifo.expect("up")
        #expect(try await master.stop().result.ending == .exited(2))
      }
    }

    @Test("2: a worker that cannot be asked, because nobody answers on its port, is signalled at once")
    func cannotBeAsked() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", Bytes(fifo.path), "up"], port: port,
              "stop = [ { request = \"POST /shutdown\", wait = \"12s\" }, { signal = \"TERM\", wait = \"12s\" } ]"
            )
          ])
        try await fifo.expect("up")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(2))
        #expect(took < MasterRun.soon)
      }
    }

    @Test("3: a worker needed KILL")
    func neededKill() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["ignore", "TERM", "ignore", "INT", "http-stubborn", "{port}"], port: port,
              ready: "tcp",
              self.asked)
          ])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(3))
        #expect(took >= .milliseconds(900) && took < MasterRun.soon)
        #expect(result.errors.contains("alpha needed KILL"))
      }
    }

    @Test("4: a port is still held by somebody outside, who is named", arguments: Containment.possible)
    func portHeld(_ containment: Containment) async throws {
      try await withSession { session in
        let port = try session.freePort()
        let borrower = try SocketBorrower(path: session.path("lend"))
        let master = try MasterRun(
          session, preamble: "[shutdown]\nports = \"500ms\"",
          [
            TestWorker(
              "alpha", ["lend-listener", "{port}", Bytes(borrower.path)], port: port, containment.line)
          ])
        let socket = try await borrower.borrowed()
        try await master.allReady()
        let (result, took) = try await master.stop()
        close(socket)
        #expect(result.ending == .exited(4))
        #expect(took >= .milliseconds(500) && took < MasterRun.soon)
        #expect(
          result.errors.contains("port \(port)") && result.errors.contains("pid \(getpid())"),
          "\(result.errors)")
      }
    }

    @Test("0: the port becomes free while it is waited for")
    func portFreed() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let borrower = try SocketBorrower(path: session.path("lend"))
        let fifo = try session.announcements()
        let master = try MasterRun(
          session, preamble: "[shutdown]\nports = \"15s\"",
          [
            TestWorker(
              "alpha", ["lend-listener", "{port}", Bytes(borrower.path), "tell", Bytes(fifo.path), "up"],
              port: port)
          ])
        let socket = try await borrower.borrowed()
        let worker = try #require(try await fifo.expect("up")["up"])
        master.process.send(SIGTERM)
        try await session.untilEnd(of: worker)
        let stopwatch = Stopwatch()
        close(socket)
        #expect(try await master.process.end().ending == .exited(0))
        #expect(stopwatch.elapsed < MasterRun.soon)
      }
    }

    @Test(
      "5: a process is left that the master may not signal, and it is named",
      .needs(.root, "a process the master may not signal"))
    func survivor() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        // With set-user-ID it becomes root for good below a master that is nobody.
        let program = try session.publicWorkload()
        try #require(chmod(program, 0o4755) == 0)
        let procctl = try session.publicCopy(of: Programs.procctl)
        var worker = TestWorker(
          "alpha", ["user", "0", "ignore", "TERM", "tell", Bytes(fifo.path), "up"],
          "stop = [ { signal = \"TERM\", wait = \"200ms\" } ]")
        worker.command[0] = program
        let runtime = session.path("theirs")
        try #require(mkdir(runtime, 0o700) == 0 && chown(runtime, 65534, 65534) == 0)
        let master = try MasterRun(session, [worker], prelude: ["user", "65534"], program: procctl)
        let pid = try #require(try await fifo.expect("up")["up"])
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(5))
        #expect(took < .seconds(8))
        #expect(result.errors.contains("survivor: ") && result.errors.contains("\(pid)"), "\(result.errors)")
        try await session.sweep()
      }
    }

    @Test("6: a cleanup failed; those after it ran all the same, last written first")
    func cleanups() async throws {
      try await withSession { session in
        let file = session.path("order")
        func cleanup(_ name: String, _ command: String) -> String {
          "[[cleanups]]\nname = \"\(name)\"\ncommand = [\"/bin/sh\", \"-c\", \"\(command)\"]\ntimeout = \"500ms\""
        }
        let master = try MasterRun(
          session,
          preamble: [
            cleanup("first", "echo first >> \(file)"), cleanup("second", "echo second >> \(file); exit 1"),
            cleanup("third", "echo third >> \(file); trap '' TERM; sleep 50 & wait; wait"),
            cleanup("fourth", "echo fourth >> \(file)"),
          ].joined(separator: "\n"), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(6))
        #expect(took < .seconds(10))
        #expect(ProcTable.text(file) == "fourth\nthird\nsecond\nfirst\n")
        #expect(result.errors.contains("second") && result.errors.contains("third"))
      }
    }
  }
}
