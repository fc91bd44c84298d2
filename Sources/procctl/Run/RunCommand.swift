internal import ArgumentParser
internal import CProcCtl
internal import Glibc
internal import Logging
internal import ProcCtl
internal import Supervision
internal import SystemPackage
internal import SystemdNotify

struct RunCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Supervises workers on their ports and shuts them down in bounded, verified phases.",
    discussion: """
      Reads CONFIG, or procctl.toml in the current directory, or, without either, runs two MCP \
      servers for git repositories to show what it does.

      SIGTERM or SIGINT stops it, once; a second SIGINT goes on to the next harder step; SIGQUIT \
      kills at once.

      Exit status: 0 clean; 1 clients disconnected by force; 2 an asked worker needed a signal; 3 \
      a worker needed SIGKILL; 4 a port is still held; 5 a process is left; 6 a cleanup failed; \
      100 to 102 internal error; 64 usage; 69 \
      something needed is missing; 77 no permission; 78 configuration.
      """)

  @Argument(
    help: ArgumentHelp("The configuration, in TOML.", valueName: "config"),
    completion: .file(extensions: ["toml"]), transform: OptionText.name)
  var configuration: String?

  @Flag(help: "Check the configuration, say what is wrong with it, and start nothing.")
  var check = false

  func execute(command: [ByteString]?) -> Int32 {
    do {
      let (configuration, invitation) = try self.load()
      if self.check {
        ConfigurationSummary.write(configuration)
        return ExitStatus.success
      }
      return try self.supervise(configuration, invitation: invitation)
    } catch let error as ConfigurationError {
      Message.error(error)
      return ExitStatus.configuration
    } catch let error as ProcessError {
      Message.error("run: \(error)")
      return ExitStatus.ofStart(error)
    } catch {
      Message.error("run: \(error)")
      return ExitStatus.internalError
    }
  }

  private func load() throws -> (MasterConfiguration, invitation: String?) {
    if let file = ConfigurationChoice(argument: self.configuration).file {
      return (try MasterConfiguration.load(file: file, environment: ProcessVariables.all), nil)
    }
    let embedded = try EmbeddedDefault.prepare()
    return (embedded.configuration, embedded.invitation)
  }

  private func supervise(_ configuration: MasterConfiguration, invitation: String?) throws -> Int32 {
    let notifier = try ServiceNotifier()
    let log = MasterLog(configuration)
    // The directory we were started in must stay removable, and unmountable.
    guard chdir("/") == 0 else {
      throw ProcessError(.runtimeDirectory, doing: "chdir /", underlyingError: Errno(rawValue: errno))
    }
    // This very program, whatever is at its path by the time a worker is restarted.
    let master = try MasterProcess(
      configuration, logger: log.logger, logFiles: log.files, notifier: notifier,
      guardProgram: .path("/proc/self/exe"), version: Version.text, progress: log.display)
    master.exitLimit = .seconds(5)
    if let invitation {
      // A worker that shares it may have filled it, and nobody may read it.
      let output = LogOutput(.standardOutput)
      master.whenReady = { output.write(text: invitation) }
    }
    return master.run()
  }
}
