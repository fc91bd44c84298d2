internal import ArgumentParser
internal import ProcCtl
internal import Supervision

struct RestartCommand: WorkerVerb {
  static let command = WorkerCommand.restart
  static let configuration: CommandConfiguration = Self.described(
    "Ends workers of a running master, starts them again, and waits until they are ready.")

  @OptionGroup var target: WorkerTarget
}
