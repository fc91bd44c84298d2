internal import ArgumentParser
internal import ProcCtl
internal import Supervision
internal import SystemPackage

struct CheckCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks a configuration, and says the longest a stop can take.",
    discussion: """
      Reads CONFIG, or procctl.toml in the current directory. The time is compared with how long systemd \
      waits for a stop (TimeoutStopSec), if that is given.

      Exit status: 0 if the configuration can be used and a stop fits; 1 if a stop can take longer; 64 \
      usage; 69 systemd or the unit file cannot be asked; 78 configuration.
      """)

  @Argument(
    help: ArgumentHelp("The configuration, in TOML.", valueName: "config"),
    completion: .file(extensions: ["toml"]), transform: OptionText.name)
  var config: String?

  @Option(
    help: ArgumentHelp(
      "Compare with this unit: a name that systemd knows, or the path of a unit file.", valueName: "unit"),
    completion: .file(), transform: OptionText.name)
  var unit: String?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Compare with this time.", valueName: "duration"),
    transform: OptionText.duration)
  var timeoutStop: Duration?

  @Flag(help: "Write one line of JSON.")
  var json = false

  func validate() throws {
    if self.unit != nil, self.timeoutStop != nil {
      throw ValidationError("--unit and --timeout-stop are two sources of one number: give one of them")
    }
  }

  func execute(command: [ByteString]?) -> Int32 {
    guard let file = ConfigurationChoice(argument: self.config).file else {
      Message.error("check: there is no procctl.toml here; name a configuration")
      return ExitStatus.configuration
    }
    do {
      let configuration = try MasterConfiguration.load(file: file, environment: ProcessVariables.all)
      let settings = try self.unit.map { try UnitQuery.settings(of: $0) }
      let limit = self.timeoutStop.map { SystemdTimeSpan.finite($0) } ?? settings?.timeoutStop
      let report = CheckReport(
        budget: StopBudget(configuration), limit: limit, warnings: settings?.obstacles ?? [])
      if self.json {
        JSONLine.write(CheckRecord(report, obstacles: configuration.obstacles()), to: 1)
      } else {
        ConfigurationSummary.write(configuration)
        for warning in report.warnings { Message.write("warning: \(warning)\n") }
        Message.write(report.text, to: 1)
      }
      return report.fits ? ExitStatus.success : ExitStatus.doesNotFit
    } catch let error as ConfigurationError {
      Message.error(error)
      return ExitStatus.configuration
    } catch {
      Message.error("check: \(error)")
      return ExitStatus.unavailable
    }
  }
}
