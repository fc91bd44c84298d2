import Testing

extension SystemTests {
  /// What is said of a command line that is wrong, and what shells are told.
  @Suite struct CommandLine {
    @Test(
      "one line that names the verb, and 64",
      arguments: [
        (["nonsense"], "procctl: there is no verb \"nonsense\" (see procctl --help)"),
        (["rnu"], "procctl: there is no verb \"rnu\", did you mean \"run\"? (see procctl --help)"),
        (["--nonsense"], "procctl: Unknown option '--nonsense' (see procctl --help)"),
        (["run", "-x"], "procctl: run: Unknown option '-x' (see procctl run --help)"),
        (["run", "a", "b"], "procctl: run: Unexpected argument 'b' (see procctl run --help)"),
        (["stop"], "procctl: stop: Missing expected argument '<worker> ...' (see procctl stop --help)"),
        (["report", "--json", "--svg"], "procctl: report: --json and --svg exclude each other"),
        (["check", "--timeout-stop", "x"], "\"x\" is not a duration"),
        (["check", "--timeout-stop", "-5"], "\"-5\" is negative"),
        (["spawn", "--grace", "-1s", "--", "true"], "\"-1s\" is negative"),
        (["spawn", "--timeout", "", "--", "true"], "\"\" is not a duration"),
        (["stop", "a", "--timeout", "9999999999h"], "is too long: a duration is at most a century"),
        (["spawn", "--port", "0", "--", "true"], "\"0\" must be 1 to 65535"),
        (["spawn", "--port", "-1", "--", "true"], "\"-1\" must be 1 to 65535"),
        (["kill-group", "--port", "70000"], "\"70000\" must be 1 to 65535"),
        (["kill-group", "a\nb\u{1B}"], "\"a\\nb\\x1b\" is no PID, PID@STARTTIME, NAME or @WORKER"),
        (["kill-group", "7@a\nb"], "\"7@a\\nb\": a start time is a number"),
        (["kill-group", "@a\n/"], "\"@a\\n/\" is no @WORKER"),
        (["kill-group", "--port", "0"], "\"0\" must be 1 to 65535"),
        (["spawn", "--status-fd", "-1", "--", "true"], "--status-fd -1: there is no such open descriptor"),
        (["report", "--back", "-1"], "--back must be 0 to 3, not -1"),
        (["help", "nonsense"], "procctl: there is no verb \"nonsense\" (see procctl --help)"),
        (
          ["help", "kil-group"],
          "procctl: there is no verb \"kil-group\", did you mean \"kill-group\"? (see procctl --help)"
        ),
        (["help", "run", "x"], "procctl: help: Unexpected argument 'x' (see procctl --help)"),
        (["help", ""], "procctl: there is no verb \"\" (see procctl --help)"),
        (["help", "-x"], "procctl: help: Unknown option '-x' (see procctl help --help)"),
        (["nonsense", "--help"], "procctl: there is no verb \"nonsense\" (see procctl --help)"),
        (["non\u{1b}[7msense\n"], "procctl: there is no verb \"non\\x1b[7msense\\n\" (see procctl --help)"),
        ([""], "procctl: there is no verb \"\" (see procctl --help)"),
        (["run", ""], "procctl: run: The value '' is invalid for '<config>': it is empty"),
        (["check", ""], "it is empty"), (["check", "--unit", ""], "it is empty"),
        (["status", ""], "it is empty"), (["status", "--control", ""], "it is empty"),
        (["report", ""], "it is empty"), (["report", "--output", ""], "it is empty"),
        (["why", ""], "it is empty"), (["why", "a", "--config", ""], "it is empty"),
        (["stop", ""], "it is empty"), (["stop", "a", "--config", ""], "it is empty"),
        (["spawn", "--user", "", "--", "true"], "it is empty"),
        (["spawn", "--chdir", "", "--", "true"], "it is empty"),
        (["--generate-completion-script", "ksh"], "procctl: Can't generate completion scripts for 'ksh'"),
      ] as [([Bytes], String)])
    func wrong(arguments: [Bytes], says: String) async throws {
      try await withSession { session in
        let result = try await session.procctl(arguments).end()
        #expect(result.ending == .exited(64))
        #expect(result.errors.contains(says), "\(result.errors)")
        #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
        #expect(result.errors.hasPrefix("procctl: ") && result.outputText.isEmpty)
      }
    }

    @Test("help is no error, and shells complete the names of configurations")
    func right() async throws {
      try await withSession { session in
        for arguments in [
          ["--help"], ["help"], ["help", "run"], ["help", "help"], ["run", "--help"], [], ["--"],
        ] as [[Bytes]] {
          let result = try await session.procctl(arguments).end()
          #expect(result.ending == .exited(0) && result.errors.isEmpty)
          #expect(result.outputText.contains("USAGE: procctl"))
        }
        let script = try await session.procctl("--generate-completion-script", "bash").end()
        #expect(script.ending == .exited(0) && script.outputText.contains("toml"))
      }
    }
  }
}
