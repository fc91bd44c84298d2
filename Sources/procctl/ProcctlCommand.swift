internal import ArgumentParser

struct ProcctlCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "procctl",
    abstract: "Starts programs and answers for everything they start.",
    discussion: """
      No zombie, no orphan, no port still bound, and an exit status that tells the truth.
      """,
    version: Version.text,
    subcommands: [
      RunCommand.self, CheckCommand.self, StatusCommand.self, StartCommand.self, StopCommand.self,
      RestartCommand.self, SpawnCommand.self, KillGroupCommand.self, ReportCommand.self, WhyCommand.self,
      DoctorCommand.self,
    ])
}

enum Version {
  static let text = "0.1.0"
}
