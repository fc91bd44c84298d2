internal import ArgumentParser
internal import ProcCtl
internal import Supervision

struct StatusCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Says how a running master and its workers are.",
    discussion: """
      Asks the master of CONFIG, or of procctl.toml in the current directory, or, without either, the \
      only one that runs.

      Exit status: 0 if every worker is ready; 1 if not, or if it is being stopped; 64 usage, or \
      several masters run; 69 no master answers; 77 no permission.
      """)

  @Argument(
    help: ArgumentHelp("The configuration of the master.", valueName: "config"),
    completion: .file(extensions: ["toml"]), transform: OptionText.name)
  var config: String?

  @Option(
    help: ArgumentHelp("The master's control socket.", valueName: "path"), completion: .file(),
    transform: OptionText.name)
  var control: String?

  @Flag(help: "Write one line of JSON.")
  var json = false

  /// A master that does not answer for so long does not turn its loop.
  static let patience = Duration.seconds(10)

  func execute(command: [ByteString]?) -> Int32 {
    do throws(ControlledMasterChoice.Obstacle) {
      let client = try ControlledMasterChoice.connect(
        control: self.control, configuration: self.config, argument: "its configuration")
      return self.ask(client)
    } catch {
      Message.error("status: \(error.text)")
      return error.status
    }
  }

  private func ask(_ client: ControlClient) -> Int32 {
    do {
      let master = try client.masterStatus(within: Self.patience)
      if self.json {
        JSONLine.write(master, to: 1)
      } else {
        Message.write(StatusText.text(of: master), to: 1)
      }
      return master.ready ? ExitStatus.success : ExitStatus.notReady
    } catch {
      Message.error("status: \(ControlFailure.text(of: error, from: client))")
      return ExitStatus.unavailable
    }
  }
}
