import FoundationEssentials
import Glibc
import Testing

extension SystemTests {
  /// What the master writes into its log directory.
  @Suite struct MasterLogs {
    private func preamble(_ directory: String, _ lines: String...) -> String {
      (["[master]", "log-directory = \"\(directory)\""] + lines).joined(separator: "\n")
    }

    private func text(_ session: TestSession, _ name: String) -> String {
      ProcTable.text(session.path(name)) ?? ""
    }

    @Test(
      "debug.log has everything, shutdown.log the stops, one after another, the console neither's details")
    func files() async throws {
      try await withSession { session in
        for stop in 1...2 {
          let master = try MasterRun(
            session, preamble: self.preamble(session.directory), [TestWorker("alpha", ["hold"])])
          try await master.allReady()
          // The console has it first.
          try await session.until("the debug log has it") {
            self.text(session, "debug.log").components(of: "all workers are ready") == stop
          }
          #expect(self.text(session, "shutdown.log").components(of: "stopping: SIGTERM") == stop - 1)
          let (result, _) = try await master.stop()
          #expect(result.ending == .exited(0))
          #expect(!result.errors.contains(" debug "))
          let shutdown = self.text(session, "shutdown.log")
          #expect(shutdown.components(of: "stopping: SIGTERM") == stop)
          #expect(shutdown.components(of: "stopped: clean") == stop)
          #expect(!shutdown.contains("all workers are ready"))
        }
        let debug = self.text(session, "debug.log")
        #expect(debug.components(of: "stopped: clean") == 2)
        #expect(debug.contains(" debug procctl: "))
        // RFC 3339 with microseconds.
        let time = try #require(debug.split(separator: " ").first)
        #expect(time.utf8.count == 27 && time.hasSuffix("Z") && time.dropFirst(19).first == ".")
      }
    }

    @Test("as JSON, every line of every log is an object")
    func json() async throws {
      struct Line: Decodable {
        var time: String
        var level: String
        var label: String
        var message: String
      }
      try await withSession { session in
        let master = try MasterRun(
          session, preamble: self.preamble(session.directory, "log-format = \"json\""),
          [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let errors = try await master.stop().result.errors
        for text in [errors, self.text(session, "debug.log"), self.text(session, "shutdown.log")] {
          let lines = text.split(separator: "\n")
          #expect(!lines.isEmpty)
          for line in lines {
            let decoded = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
            #expect(decoded.label == "procctl" && decoded.time.utf8.count == 27)
          }
        }
        #expect(self.text(session, "shutdown.log").contains("\"message\":\"stopped: clean\""))
      }
    }

    @Test("USR1 begins files anew that somebody has renamed")
    func reopen() async throws {
      try await withSession { session in
        let master = try MasterRun(
          session, preamble: self.preamble(session.directory), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        #expect(rename(session.path("debug.log"), session.path("debug.old")) == 0)
        // Control: until it is told, it goes on in the old file.
        master.process.send(SIGWINCH)
        try await session.until("it has written to the old file") {
          self.text(session, "debug.old").contains("ignored SIGWINCH")
        }
        #expect(ProcTable.text(session.path("debug.log")) == nil)
        master.process.send(SIGUSR1)
        try await master.expect("logs reopened")
        let old = self.text(session, "debug.old")
        #expect(try await master.stop().result.ending == .exited(0))
        #expect(self.text(session, "debug.old") == old)
        #expect(self.text(session, "debug.log").contains("stopped: clean"))
      }
    }

    @Test("log-size and log-keep bound the files, workers' too", .timeLimit(.minutes(1)))
    func rotation() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        var worker = TestWorker("alpha", [])
        let line = String(repeating: "x", count: 63)
        // More than the limit in one start of it, and then some more.
        worker.command = [
          "/bin/sh", "-c",
          "i=0; while [ $i -lt 200 ]; do echo \(line); i=$((i+1)); done; \(Programs.workload) tell "
            + "\(fifo.path) written await \(gate.path) exit 0; echo last; "
            + "exec \(Programs.workload) tell \(fifo.path) last hold",
        ]
        let master = try MasterRun(
          session, preamble: self.preamble(session.directory, "log-size = \"4K\"", "log-keep = 1"), [worker])
        try await fifo.expect("written")
        #expect(self.text(session, "alpha.log").utf8.count == 200 * 64)
        try await session.until("the worker's log is begun anew", within: .seconds(20)) {
          self.text(session, "alpha.log").isEmpty
        }
        try gate.open()
        try await fifo.expect("last")
        #expect(self.text(session, "alpha.log") == "last\n")
        #expect(self.text(session, "alpha.log.1").utf8.count == 4096, "the end of it, as much as allowed")
        // A line for each.
        for _ in 0..<80 {
          master.process.send(SIGUSR1)
          try await master.expect("logs reopened")
        }
        #expect(try await master.stop().result.ending == .exited(0))
        for name in ["debug.log", "debug.log.1", "alpha.log", "alpha.log.1"] {
          let size = self.text(session, name).utf8.count
          #expect(size > 0 && size <= 4096, "\(name)")
        }
        #expect(ProcTable.text(session.path("debug.log.2")) == nil)
      }
    }

    @Test("a full disk costs lines, is said once, and stops nothing")
    func fullDisk() async throws {
      try await withSession { session in
        let master = try MasterRun(
          session, preamble: self.preamble(session.directory), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        try await session.fillDisk(of: master.pid)
        let (result, _) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(result.errors.contains("stopped: clean"))
        #expect(result.errors.components(of: "a log has lost lines") == 2, "once for each file")
        #expect(result.errors.contains("lines of the log files were lost"))
        #expect(!self.text(session, "shutdown.log").contains("stopped"))
      }
    }

    @Test("on a disk with no room it stops as well", .needs(.root, "a file system of its own"))
    func noRoom() async throws {
      try await withSession { session in
        let directory = session.path("small")
        try #require(mkdir(directory, 0o755) == 0)
        let file = try session.write(
          self.preamble(directory) + "\n" + TestWorker("alpha", ["hold"]).table + "\n", to: "procctl.toml")
        let script =
          "mount -t tmpfs -o size=8k tmpfs \(directory) && head -c 4096 /dev/zero > \(directory)/filler && "
          + "exec \(Programs.procctl) run \(file)"
        let process = try session.start(
          Launch("/usr/bin/unshare", ["--mount", "--propagation", "private", "/bin/sh", "-c", Bytes(script)]))
        let log = try #require(process.errors)
        try await log.expect("all workers are ready", from: 0)
        var position = 0
        for _ in 0..<80 {
          process.send(SIGUSR1)
          position = try await log.expect("logs reopened", from: position)
        }
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(result.ending == .exited(0))
        #expect(result.errors.contains("a log has lost lines: write \(directory)/"))
        #expect(result.errors.contains("No space left on device"))
        #expect(result.errors.contains("stopped: clean"))
      }
    }

    @Test("a directory that is gone, or whose logs cannot be opened")
    func obstacles() async throws {
      try await withSession { session in
        let directory = session.path("logs")
        let worker = TestWorker("alpha", ["hold"])
        let file = try session.write(
          self.preamble(directory) + "\n" + worker.table + "\n", to: "missing.toml")
        let missing = try await session.procctl("run", Bytes(file)).end()
        #expect(missing.ending == .exited(69))
        #expect(
          missing.errors
            == "procctl: run: [master] log-directory: open \(directory)/debug.log: No such file or directory\n"
        )
        try #require(mkdir(directory, 0o755) == 0)
        #expect(symlink("/dev/full", "\(directory)/shutdown.log") == 0)
        let linked = try await session.procctl("run", Bytes(file)).end()
        #expect(linked.ending == .exited(69))
        #expect(linked.errors.contains("open \(directory)/shutdown.log: Too many levels of symbolic links"))
        unlink("\(directory)/shutdown.log")
        let master = try MasterRun(session, preamble: self.preamble(directory), [worker])
        try await master.allReady()
        for name in ["debug.log", "shutdown.log", "alpha.log"] { unlink("\(directory)/\(name)") }
        for name in ProcTable.names(directory) { unlink("\(directory)/\(name)") }
        #expect(rmdir(directory) == 0)
        master.process.send(SIGUSR1)
        try await master.expect("a log goes on where it was: open \(directory)/debug.log: No such file")
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("a worker's log that is a link or a fifo is not opened: others may write to the directory")
    func links() async throws {
      try await withSession { session in
        let logs = session.path("logs")
        try #require(mkdir(logs, 0o777) == 0 && mkfifo("\(logs)/beta.log", 0o666) == 0)
        _ = try session.write("gold", to: "treasure")
        try #require(symlink(session.path("treasure"), "\(logs)/alpha.log") == 0)
        let master = try MasterRun(
          session, preamble: self.preamble(logs),
          ["alpha", "beta", "gamma"].map {
            TestWorker($0, ["exec", "/bin/sh", "-c", "echo said; exec sleep 1000"])
          })
        try await master.expect("alpha blocked: open the log \(logs)/alpha.log")
        try await master.expect("beta blocked: open the log \(logs)/beta.log")
        // The control: a plain file is.
        try await session.until("gamma has said it") { self.text(session, "logs/gamma.log") == "said\n" }
        _ = try await master.stop()
        #expect(self.text(session, "treasure") == "gold")
      }
    }
  }
}
