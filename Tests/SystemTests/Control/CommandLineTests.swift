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
        for arguments in [["--help"], ["help", "run"], ["run", "--help"]] as [[Bytes]] {
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
