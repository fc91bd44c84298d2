import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// `procctl run` among strangers and signals.
  @Suite struct MasterSurroundings {
    @Test("the stop request goes to the worker or to nobody: a stranger on its port is not asked")
    func strangerOnThePort() async throws {
      try await withSession { session in
        let port = try session.freePort()
        // The worker never listens; the stranger would end at POST /shutdown.
        let master = try MasterRun(
          session, preamble: "[shutdown]\nports = \"300ms\"",
          [
            TestWorker(
              "alpha", ["hold"], port: port, ready: "http:/health",
              "stop = [{ request = \"POST /shutdown\", wait = \"14s\" }, { signal = \"TERM\", wait = \"14s\" }]"
            )
          ])
        try await master.expect("alpha starting")
        let stranger = try session.workload(["http", "\(port)"])
        try await session.until("the stranger listens") { ProcTable.listeners()[port] != nil }
        let (result, took) = try await master.stop()
        #expect(took < .seconds(10), "the next step comes at once")
        #expect(result.errors.contains("does not listen"))
        #expect(result.ending == .exited(4), "its port is the stranger's")
        #expect(ProcTable.listeners()[port] != nil, "the stranger lives")
        stranger.send(SIGTERM)
        try await stranger.end()
      }
    }

    @Test("no signal that can be caught takes the master from its workers")
    func uncommonSignals() async throws {
      try await withSession { session in
        let master = try MasterRun(session, [TestWorker("alpha", ["hold"], "contain = \"session\"")])
        try await master.allReady()
        for signal in [SIGALRM, SIGVTALRM, SIGXCPU, SIGIO, SIGUSR1, SIGUSR2, SIGPIPE, 34, 50] {
          master.process.send(signal)
        }
        master.process.send(SIGPWR)
        #expect(try await master.process.end().ending == .exited(0))
        #expect(session.members().isEmpty)
      }
    }

    @Test("a port that a stranger took after a crash is waited for, and the worker comes back")
    func stolenPort() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session, preamble: "[shutdown]\nports = \"300ms\"",
          [
            TestWorker(
              "alpha", ["http", "{port}"], port: port, ready: "http:/health",
              // In which the stranger must come to it first.
              "backoff = { first = \"2s\", max = \"2s\" }")
          ])
        try await master.allReady()
        // The stranger takes the port in the moment the worker is gone.
        let worker = try #require(master.children.first)
        let python = try #require(Programs.find("python3"))
        let thief = """
          import os, signal, socket, sys
          s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
          os.kill(\(worker.pid), signal.SIGKILL)
          while True:
              try:
                  s.bind(("127.0.0.1", \(port))); s.listen(); break
              except OSError: pass
          print("mine", flush=True); sys.stdin.readline()
          """
        var launch = Launch(python, ["-c", Bytes(thief)])
        launch.input = .pipe
        let stranger = try session.start(launch)
        try await #require(stranger.output).expect("mine", from: 0, within: .seconds(10))
        try await master.expect("alpha blocked")
        stranger.closeInput()
        try await master.expect("alpha ready")
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("nobody reads the log any more: the master goes on, and stops when told to")
    func unreadLog() async throws {
      try await withSession { session in
        var ends: [Int32] = [-1, -1]
        try #require(pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0)
        let full = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
        while write(ends[1], full, full.count) > 0 {}
        // As a program finds it: writing to it waits, for ever.
        try #require(cprocctl_fcntl(ends[1], F_SETFL, 0) == 0)
        defer { close(ends[0]) }
        let fifo = try session.announcements()
        let worker = TestWorker("alpha", ["tell", Bytes(fifo.path), "up"])
        let file = try session.write(worker.table + "\n", to: "procctl.toml")
        var launch = Launch(Programs.procctl, ["run", Bytes(file)])
        launch.errors = .descriptor(ends[1])
        let master = try session.start(launch)
        close(ends[1])
        let first = try #require(try await fifo.expect("up")["up"])
        // It still does its work.
        kill(first, SIGKILL)
        #expect(try await fifo.expect("up")["up"] != first)
        master.send(SIGTERM)
        #expect(try await master.end().ending == .exited(0))
      }
    }
  }
}
