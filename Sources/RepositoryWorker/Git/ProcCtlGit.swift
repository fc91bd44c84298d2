package import ProcCtl
package import SystemPackage

/// git as a child process, with a clean environment and limits on its time and output.
package struct ProcCtlGit: GitRunning {
  package var repository: FilePath
  /// The PATH git is looked up in.
  package var searchPath: String
  package var timeLimit: Duration

  /// - Parameter repository: The absolute path of the repository's root, without symbolic links.
  package init(repository: FilePath, searchPath: String, timeLimit: Duration = .seconds(20)) {
    self.repository = repository
    self.searchPath = searchPath
    self.timeLimit = timeLimit
  }

  /// The command for those arguments. Nothing of the caller's environment or of the user's and the
  /// machine's configuration of git has any influence on it.
  package func command(_ arguments: [String]) -> Command {
    var settings = [
      // The repository may belong to somebody else; that it may be read was decided by whoever named it.
      ("safe.directory", self.repository.string),
      // What could run a program or reach out to the network.
      ("core.fsmonitor", "false"), ("core.hooksPath", "/dev/null"), ("log.showSignature", "false"),
      ("protocol.allow", "never"),
      // Paths in the output as they are.
      ("core.quotePath", "false"),
      // A list of ignored revisions in a file that may not be there.
      ("blame.ignoreRevsFile", ""),
    ]
    settings.append(("color.ui", "false"))
    var environment = Environment.empty
      .setting("PATH", to: ByteString(self.searchPath))
      .setting("LC_ALL", to: "C.UTF-8")
      .setting("HOME", to: "/nonexistent")
      .setting("GIT_CONFIG_NOSYSTEM", to: "1")
      .setting("GIT_CONFIG_GLOBAL", to: "/dev/null")
      .setting("GIT_ATTR_NOSYSTEM", to: "1")
      .setting("GIT_TERMINAL_PROMPT", to: "0")
      .setting("GIT_OPTIONAL_LOCKS", to: "0")
      .setting("GIT_NO_LAZY_FETCH", to: "1")
      .setting("GIT_NO_REPLACE_OBJECTS", to: "1")
      .setting("GIT_LITERAL_PATHSPECS", to: "1")
      .setting("GIT_PAGER", to: "cat")
      // The repository is the one that was named, never one further up.
      .setting("GIT_CEILING_DIRECTORIES", to: ByteString(self.repository.removingLastComponent().string))
      .setting("GIT_CONFIG_COUNT", to: ByteString("\(settings.count)"))
    for (index, (key, value)) in settings.enumerated() {
      environment =
        environment
        .setting(ByteString("GIT_CONFIG_KEY_\(index)"), to: ByteString(key))
        .setting(ByteString("GIT_CONFIG_VALUE_\(index)"), to: ByteString(value))
    }
    return Command(
      .name("git"), arguments: (["--no-pager"] + arguments).map { ByteString($0) }, environment: environment,
      directory: self.repository, standardInput: .null)
  }

  package func run(_ arguments: [String], outputLimit: Int) async throws -> GitOutput {
    let run: CapturedRun
    do {
      run = try await capture(
        self.command(arguments), timeLimit: self.timeLimit, outputLimit: outputLimit)
    } catch {
      try Task.checkCancellation()
      throw GitUnavailable("git cannot be run: \(error)")
    }
    try Task.checkCancellation()
    var status: Int32?
    if case .exited(let number) = run.status, !run.timeLimitReached, !run.outputLimitReached {
      status = number
    }
    return GitOutput(
      status: status, output: run.standardOutput,
      errorText: String(decoding: run.standardError, as: UTF8.self), isTruncated: run.outputLimitReached,
      isOverdue: run.timeLimitReached)
  }
}
