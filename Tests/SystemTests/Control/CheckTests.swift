import Glibc
import Testing

extension SystemTests {
  /// `procctl check`: the longest a stop can take.
  @Suite struct Check {
    @Test("a stop of a deaf worker takes no longer, and not much less than its steps")
    func measured() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "deaf", ["ignore", "TERM", "ignore", "INT", "tell", Bytes(fifo.path), "up"],
              "stop = [ { signal = \"TERM\", wait = \"1s\" }, { signal = \"INT\", wait = \"500ms\" } ]")
          ])
        try await fifo.expect("up")
        let check = try await session.procctl("check", "--json", Bytes(session.path("procctl.toml"))).end()
        #expect(check.ending == .exited(0))
        let number = try #require(check.outputText.firstMatch(of: /"longest_stop_seconds":([0-9.]+)/))
        let longest = try #require(Double(number.1))
        // The steps; KILL, four times over; what is left over.
        #expect(longest == 1.5 + 8 + 13)
        try await master.expect("all workers are ready")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(3))
        #expect(took >= .milliseconds(1500) && took < .seconds(longest))
        #expect(result.errors.contains("at-most=22.5s"))
      }
    }

    @Test("compared with a time, and with a unit file")
    func compared() async throws {
      try await withSession { session in
        let config = Bytes(try session.write(TestWorker("a", ["hold"]).table + "\n", to: "procctl.toml"))
        func check(_ arguments: Bytes...) async throws -> TestProcess.Result {
          try await session.procctl(["check", config] + arguments).end()
        }
        // TERM 15 s, INT 5 s, KILL 8 s, what is left over 13 s.
        #expect(try await check("--timeout-stop", "41s").ending == .exited(0))
        let short = try await check("--timeout-stop", "40s")
        #expect(short.ending == .exited(1) && short.outputText.contains("too short by 1s"))
        let unit = Bytes(
          try session.write(
            "[Service]\nType=notify\nTimeoutStopSec=30\nDelegate=yes\n", to: "procctl.service"))
        let compared = try await check("--unit", unit)
        #expect(compared.ending == .exited(1) && compared.outputText.contains("too short by 11s"))
        #expect(compared.errors.contains("KillMode=control-group"))
        #expect(!compared.errors.contains("NotifyAccess"))
        #expect(try await check().ending == .exited(0))
        #expect(try await check("--unit", "/no/such.service").ending == .exited(69))
        let unknown = try await check("--unit", "no-such-unit.service")
        #expect(unknown.errors.split(separator: "\n").count == 1, "\(unknown.errors)")
        #expect(try await check("--unit", unit, "--timeout-stop", "1s").ending == .exited(64))
      }
    }

    @Test("who does not exist is named, with file and line, and so is a group")
    func accounts() async throws {
      try await withSession { session in
        func warnings(_ text: String) async throws -> [Substring] {
          let file = Bytes(try session.write(text, to: "procctl.toml"))
          let check = try await session.procctl("check", file).end()
          #expect(check.ending == .exited(0), "\(check.errors)")
          #expect(try await session.procctl("run", "--check", file).end().errors == check.errors)
          return check.errors.split(separator: "\n")
        }
        let file = session.path("procctl.toml")
        #expect(
          try await warnings(
            """
            [master]
            log-format = "text"
            user = "no-such-user-here"
            [workers.a]
            command = ["sh"]
            [workers.b]
            command = ["sh"]
            user = "nor-such"
            [workers.c]
            command = ["sh"]
            group = "no-such-group"

            """)
            == [
              "warning: \(file):3: [master] user: there is no user \"no-such-user-here\"",
              "warning: \(file):8: worker \"b\": there is no user \"nor-such\"",
              "warning: \(file):11: worker \"c\": there is no group \"no-such-group\"",
            ])
        _ = try session.write("{\"repositories\": {\"r\": {\"path\": \"/\"}}}", to: "repositories.json")
        #expect(
          try await warnings(
            "[repositories]\nfile = \"repositories.json\"\ncommand = [\"sh\"]\nuser = \"nor-such\"\n")
            == ["warning: \(file):4: worker \"r\": there is no user \"nor-such\""])
        // The control: one that exists, and whom we are.
        #expect(try await warnings("[workers.a]\ncommand = [\"sh\"]\n").isEmpty)
      }
    }

    @Test(
      "who cannot be become with the rights there are is named, with file and line",
      .needs(.root, "root can become everybody"))
    func rights() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let setpriv = try #require(Programs.find("setpriv"))
        let program = Bytes(try session.publicCopy(of: Programs.procctl))
        let file = session.path("procctl.toml")
        let asNobody: [Bytes] = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
        func warnings(_ text: String, as rights: [Bytes]) async throws -> [Substring] {
          _ = try session.write(text, to: "procctl.toml")
          let check = try await session.start(
            Launch(setpriv, rights + [program, "check", Bytes(file)])
          ).end()
          #expect(check.ending == .exited(0), "\(check.errors)")
          return check.errors.split(separator: "\n")
        }
        let master = "[master]\nuser = \"daemon\"\n[workers.a]\ncommand = [\"sh\"]\n"
        #expect(
          try await warnings(master, as: asNobody) == [
            "warning: \(file):2: [master] user: user 65534, who runs this, cannot become user 1, group 1,"
              + " without setgid, setuid: Operation not permitted"
          ])
        let worker = "[workers.a]\ncommand = [\"sh\"]\nuser = \"daemon\"\n"
        #expect(
          try await warnings(worker, as: asNobody) == [
            "warning: \(file):3: worker \"a\": user 65534, who runs this, cannot start it as user 1, group 1,"
              + " without setgid, setuid"
          ])
        // What the master becomes must be able to start its workers.
        let both = "[master]\nuser = \"daemon\"\n[workers.a]\ncommand = [\"sh\"]\nuser = \"nobody\"\n"
        let lacking = try await warnings(both, as: ["--bounding-set=-sys_ptrace", "--inh-caps=-all"])
        #expect(lacking.count == 1 && lacking.first?.contains("sys_ptrace (worker \"a\", user") == true)
        #expect(lacking.first?.hasPrefix("warning: \(file):2: [master] user: ") == true, "\(lacking)")
        // The control: root.
        for text in [master, worker, both] {
          #expect(try await warnings(text, as: ["--inh-caps=-all"]).isEmpty)
        }
      }
    }

    @Test("says what run --check says, and refuses what it refuses")
    func sameAsRun() async throws {
      try await withSession { session in
        let config = Bytes(
          try session.write("[workers.a]\ncommand = [\"no-such-program\"]\n", to: "procctl.toml"))
        let check = try await session.procctl("check", config).end()
        let run = try await session.procctl("run", "--check", config).end()
        #expect(check.ending == .exited(0) && check.errors == run.errors)
        #expect(check.errors.contains("no-such-program"))
        #expect(check.outputText.hasPrefix(run.outputText))
        let logs = session.path("logs")
        let other = Bytes(
          try session.write(
            "[master]\nlog-directory = \"logs\"\n[workers.a]\ncommand = [\"sh\"]\n", to: "logs.toml"))
        let missing = try await session.procctl("check", other).end()
        #expect(
          missing.errors == "warning: [master] log-directory: \(logs): No such file or directory\n")
        let bad = Bytes(try session.write("[workers.a]\nport = 0\n", to: "bad.toml"))
        #expect(try await session.procctl("check", bad).end().ending == .exited(78))
      }
    }
  }
}
