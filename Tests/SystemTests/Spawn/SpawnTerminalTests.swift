import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn` at a terminal.
  @Suite struct SpawnTerminal {
    /// An interactive shell at the terminal, with job control.
    private func shell(_ session: TestSession, _ terminal: TestTerminal) async throws -> TestProcess {
      let bash = try #require(Programs.find("bash"))
      var launch = Launch(bash, ["--norc", "--noprofile", "-i"])
      launch.terminal = terminal.path
      launch.environment = ["PS1=ready> ", "TERM=dumb", "HISTFILE="]
      let process = try session.start(launch)
      try await terminal.screen.expect("ready> ")
      return process
    }

    /// Types a line and returns where on the screen its output begins.
    private func enter(_ line: String, _ terminal: TestTerminal) async throws -> Int {
      let before = terminal.screen.bytes.count
      terminal.type(line + "\n")
      // The echo ends with the line.
      return try await terminal.screen.expect("\r\n", from: before)
    }

    /// Waits until the shell's `procctl spawn` has given the terminal to its command: what is typed
    /// before is read all the same, but the shell decides whether it is shown.
    private func command(
      below shell: TestProcess, _ terminal: TestTerminal, _ session: TestSession
    ) async throws -> (guard: pid_t, command: pid_t) {
      var found: (pid_t, pid_t)?
      try await session.until("the command has the terminal") {
        found = ProcTable.children(of: shell.pid).first.flatMap { spawn in
          ProcTable.children(of: spawn.pid).first.map { (spawn.pid, $0.pid) }
        }
        return found.map { terminal.foregroundGroup == $0.1 } ?? false
      }
      return try #require(found)
    }

    @Test("straight below a terminal: the command reads from it, and Ctrl-C ends it with 130")
    func direct() async throws {
      try await withSession { session in
        let terminal = try TestTerminal()
        var launch = Launch(
          Programs.procctl,
          [
            "spawn", "--", "/bin/sh", "-c",
            "echo group $(cut -d' ' -f5 /proc/$$/stat); read line; echo \"got $line\"; exec cat",
          ])
        launch.terminal = terminal.path
        let process = try session.start(launch)
        try await terminal.screen.expect("group ")
        try await terminal.screen.expect("\r\n")
        let leader = try #require(ProcTable.children(of: process.pid).first)
        #expect(terminal.foregroundGroup == leader.pid, "the command has the foreground")
        terminal.type("hello\n")
        try await terminal.screen.expect("got hello")
        terminal.type("\u{03}")
        #expect(try await process.end().ending == .exited(130))
      }
    }

    @Test("below a shell: Ctrl-C ends the command, and the shell has its terminal back")
    func interrupt() async throws {
      try await withSession { session in
        let terminal = try TestTerminal()
        let shell = try await self.shell(session, terminal)
        var start = try await self.enter("\(Programs.procctl) spawn -- cat", terminal)
        _ = try await self.command(below: shell, terminal, session)
        terminal.type("abc\n")
        try await terminal.screen.expect("abc\r\nabc\r\n", from: start)
        #expect(terminal.foregroundGroup != shell.pid)
        terminal.type("\u{03}")
        try await terminal.screen.expect("ready> ", from: start)
        start = try await self.enter("echo status $?", terminal)
        try await terminal.screen.expect("status 130", from: start)
        try await terminal.screen.expect("ready> ", from: start)
        #expect(terminal.foregroundGroup == shell.pid)
        _ = try? await self.enter("exit 0", terminal)
        #expect(try await shell.end().ending == .exited(0))
      }
    }

    @Test("below a shell: Ctrl-Z stops both, fg continues both")
    func suspend() async throws {
      try await withSession { session in
        let terminal = try TestTerminal()
        let shell = try await self.shell(session, terminal)
        var start = try await self.enter("\(Programs.procctl) spawn -- cat", terminal)
        let pids = try await self.command(below: shell, terminal, session)
        terminal.type("abc\n")
        try await terminal.screen.expect("abc\r\nabc\r\n", from: start)
        for round in 1...3 {
          terminal.type("\u{1A}")
          try await terminal.screen.expect("Stopped", from: start)
          try await terminal.screen.expect("ready> ", from: start)
          try await session.untilState(of: pids.guard, is: "T")
          try await session.untilState(of: pids.command, is: "T")
          #expect(terminal.foregroundGroup == shell.pid)
          start = try await self.enter("fg", terminal)
          try await session.until("the command has the foreground again") {
            terminal.foregroundGroup == pids.command
          }
          start = terminal.screen.bytes.count
          terminal.type("round \(round)\n")
          try await terminal.screen.expect("round \(round)\r\nround \(round)\r\n", from: start)
        }
        // End of input ends cat, and that the guard.
        terminal.type("\u{04}")
        try await terminal.screen.expect("ready> ", from: start)
        start = try await self.enter("echo status $?", terminal)
        try await terminal.screen.expect("status 0", from: start)
        _ = try? await self.enter("exit 0", terminal)
        #expect(try await shell.end().ending == .exited(0))
      }
    }

    @Test("moved to the background by Ctrl-Z and bg, its end leaves the shell its terminal")
    func movedToBackground() async throws {
      try await withSession { session in
        let terminal = try TestTerminal()
        let gate = try session.announcements("gate")
        let shell = try await self.shell(session, terminal)
        var start = try await self.enter(
          "\(Programs.procctl) spawn -- \(Programs.workload) await \(gate.path) exit 5", terminal)
        let pids = try await self.command(below: shell, terminal, session)
        terminal.type("\u{1A}")
        try await terminal.screen.expect("Stopped", from: start)
        try await terminal.screen.expect("ready> ", from: start)
        start = try await self.enter("bg", terminal)
        try await session.until("both go on") {
          [pids.guard, pids.command].allSatisfy { ProcTable.process($0)?.state == "S" }
        }
        // The shell waits for what is typed, with the terminal, while the job ends.
        try gate.open()
        try await session.until("the job is over") { ProcTable.process(pids.command) == nil }
        try await session.until("the guard is over") {
          ProcTable.process(pids.guard).map(\.isZombie) ?? true
        }
        #expect(terminal.foregroundGroup == shell.pid)
        start = try await self.enter("wait %1; echo status $?", terminal)
        try await terminal.screen.expect("status 5", from: start)
        _ = try? await self.enter("exit 0", terminal)
        #expect(try await shell.end().ending == .exited(0))
      }
    }

    @Test("in the background it does not take the terminal")
    func background() async throws {
      try await withSession { session in
        let terminal = try TestTerminal()
        let fifo = try session.announcements()
        let shell = try await self.shell(session, terminal)
        var start = try await self.enter(
          "\(Programs.procctl) spawn -- \(Programs.workload) exit-on TERM 3 tell \(fifo.path) up &", terminal)
        try await fifo.expect("up")
        #expect(terminal.foregroundGroup == shell.pid)
        start = try await self.enter("kill %1; wait %1; echo status $?", terminal)
        try await terminal.screen.expect("status 3", from: start)
        _ = try? await self.enter("exit 0", terminal)
        #expect(try await shell.end().ending == .exited(0))
      }
    }

    @Test("when the terminal hangs up, the command is told and nothing is left")
    func hangUp() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        var terminal: TestTerminal? = try TestTerminal()
        var launch = Launch(
          Programs.procctl,
          [
            "spawn", "--", Bytes(Programs.workload), "daemonize", "tell", Bytes(fifo.path), "daemon", "end",
            "tell", Bytes(fifo.path), "leader",
          ])
        launch.terminal = terminal?.path
        let process = try session.start(launch)
        try await fifo.expect("daemon", "leader")
        terminal = nil
        #expect(try await process.end(within: .seconds(4)).ending == .exited(128 + SIGHUP))
      }
    }
  }
}
