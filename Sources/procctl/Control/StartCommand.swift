internal import ArgumentParser
internal import ProcCtl
internal import Supervision

struct StartCommand: WorkerVerb {
  static let command = WorkerCommand.start
  static let configuration: CommandConfiguration = Self.described(
    "Starts workers of a running master, and waits until they are ready.")

  @OptionGroup var target: WorkerTarget
}
