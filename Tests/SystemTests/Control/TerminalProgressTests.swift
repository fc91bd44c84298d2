import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// What a person at a terminal sees of a stop.
  @Suite struct TerminalProgress {
    private let deaf = "stop = [ { signal = \"TERM\", wait = \"1500ms\" }, { signal = \"KILL\" } ]"

    private func start(
      _ session: TestSession, _ terminal: TestTerminal, environment: [Bytes], format: String = "text"
    ) async throws -> TestProcess {
      let workers = [
        TestWorker(
          "deaf", ["ignore", "TERM", "ignore", "INT", "notify", "READY=1"], ready: "notify", self.deaf),
        TestWorker("quick", ["hold"]),
      ]
      let text = (["[master]\nlog-format = \"\(format)\""] + workers.map(\.table)).joined(separator: "\n\n")
      let file = try session.write(text + "\n", to: "procctl.toml")
      // The test's own environment has these variables too.
      var launch = Launch("/usr/bin/env", environment + [Bytes(Programs.procctl), "run", Bytes(file)])
      launch.terminal = terminal.path
      let process = try session.start(launch)
      try await terminal.screen.expect("all workers are ready")
      return process
    }

    @Test("a line for whom it waits for, below the log, until it is over")
    func shown() async throws {
      try await withSession { session in
        let terminal = try TestTerminal()
        terminal.resize(columns: 60, rows: 20)
        let process = try await self.start(session, terminal, environment: ["TERM=xterm", "NO_COLOR=1"])
        let before = terminal.screen.bytes.count
        #expect(!terminal.screen.text.contains("\u{1b}"))
        terminal.type("\u{3}")
        let drawn = try await terminal.screen.expect("] 1/2 stopped, ", from: before)
        let text = String(decoding: terminal.screen.bytes[before..<drawn], as: UTF8.self)
        #expect(text.contains("  deaf  stopping "))
        #expect(text.contains("TERM"))
        #expect(!text.contains("  quick  stopp"))
        #expect(!text.contains("\u{1b}[36m"))
        // Wider lines than the terminal would be there when it is cleared.
        for line in text.split(separator: "\u{1b}[2K") where line.hasPrefix("  deaf") {
          #expect(line.prefix { $0 != "\u{1b}" }.count < 60)
        }
        #expect(try await process.end().ending == .exited(3))
        terminal.screen.take()
        let rest = String(decoding: terminal.screen.bytes[drawn...], as: UTF8.self)
        // They are taken away in the end, and all of the terminal scrolls again.
        #expect(rest.contains("\u{1b}[19;1H\u{1b}[J\u{1b}[r"))
        let last = try #require(rest.firstRange(of: "stopped: deaf needed KILL"))
        #expect(!rest[last.upperBound...].contains("1/2 stopped"))
      }
    }

    @Test(
      "also where the terminal is another user's, as after su",
      .needs(.root, "a master that becomes another user"))
    func otherOwner() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let workload = try session.publicWorkload()
        let terminal = try TestTerminal()
        // Control: who it is then may not open it by its name.
        try #require(chmod(terminal.path, 0o620) == 0)
        let text = """
          [master]
          user = "daemon"

          [workers.deaf]
          command = ["\(workload)", "ignore", "TERM", "notify", "READY=1"]
          ready = "notify"
          \(self.deaf)
          """
        let file = try session.write(text + "\n", to: "procctl.toml")
        var launch = Launch(
          "/usr/bin/env", ["TERM=xterm", "NO_COLOR=1", Bytes(Programs.procctl), "run", Bytes(file)])
        launch.terminal = terminal.path
        let process = try session.start(launch)
        try await terminal.screen.expect("all workers are ready")
        #expect(ProcTable.status(process.pid, "Uid")?.hasPrefix("1") == true)
        terminal.type("\u{3}")
        try await terminal.screen.expect("0/1 stopped, ")
        #expect(try await process.end().ending == .exited(3))
      }
    }

    @Test(
      "only the log where a terminal cannot do it, or the log is for programs",
      arguments: [("TERM=dumb", "text"), ("TERM=", "text"), ("TERM=xterm", "json")])
    func plain(terminalType: String, format: String) async throws {
      try await withSession { session in
        let terminal = try TestTerminal()
        let process = try await self.start(
          session, terminal, environment: [Bytes(terminalType)], format: format)
        terminal.type("\u{3}")
        #expect(try await process.end().ending == .exited(3))
        terminal.screen.take()
        #expect(!terminal.screen.text.contains("\u{1b}"))
        #expect(!terminal.screen.text.contains("1/2 stopped"))
      }
    }

    @Test("a terminal whose output is held does not hold the stop")
    func held() async throws {
      try await withSession { session in
        let terminal = try TestTerminal()
        let process = try await self.start(session, terminal, environment: ["TERM=xterm"])
        terminal.type("\u{13}")
        process.send(SIGTERM)
        let stopwatch = Stopwatch()
        #expect(try await process.end(within: .seconds(20)).ending == .exited(3))
        #expect(stopwatch.elapsed < .seconds(15), "it would be for ever")
        terminal.screen.take()
        #expect(!terminal.screen.text.contains("stopping: SIGTERM"), "it was not held")
        terminal.type("\u{11}")
      }
    }
  }
}

extension TestTerminal {
  /// TIOCSWINSZ (ioctl_tty(2)).
  func resize(columns: UInt16, rows: UInt16) {
    var size: (UInt16, UInt16, UInt16, UInt16) = (rows, columns, 0, 0)
    withUnsafeMutableBytes(of: &size) { bytes in
      _ = bytes.baseAddress.map {
        cprocctl_ioctl_int(self.screen.descriptor, 0x5414, $0.assumingMemoryBound(to: Int32.self))
      }
    }
  }
}
