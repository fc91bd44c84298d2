internal import ArgumentParser
internal import ProcCtl
internal import Supervision

struct StopCommand: WorkerVerb {
  static let command = WorkerCommand.stop
  static let configuration: CommandConfiguration = Self.described(
    "Stops workers of a running master, and waits until nothing of them is left.")

  @OptionGroup var target: WorkerTarget
}
