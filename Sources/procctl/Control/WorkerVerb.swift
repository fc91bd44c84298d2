internal import ArgumentParser
internal import ProcCtl
internal import Supervision

/// What `start`, `stop` and `restart` have in common: they command workers of a running master, and wait.
protocol WorkerVerb: Verb {
  static var command: WorkerCommand { get }
  var target: WorkerTarget { get }
}

struct WorkerTarget: ParsableArguments {
  @Argument(help: ArgumentHelp("The workers.", valueName: "worker"), transform: OptionText.name)
  var workers: [String]

  @Option(
    help: ArgumentHelp("The configuration of the master.", valueName: "file"),
    completion: .file(extensions: ["toml"]), transform: OptionText.name)
  var config: String?

  @Option(
    help: ArgumentHelp("The master's control socket.", valueName: "path"), completion: .file(),
    transform: OptionText.name)
  var control: String?

  @Flag(help: "Do not wait for what comes of it.")
  var noWait = false

  @Option(
    parsing: .unconditional, help: "How long to wait for it (default: as long as it takes).",
    transform: OptionText.duration)
  var timeout: Duration?
}

private struct Call: Codable {
  var workers: [String]
  var wait: Bool
}

private struct Answer: Codable { var workers: [MasterStatusSnapshot.Worker] }

extension WorkerVerb {
  static func described(_ abstract: String) -> CommandConfiguration {
    CommandConfiguration(
      commandName: self.command.rawValue, abstract: abstract,
      discussion: """
        Of the master of procctl.toml in the current directory, or of the only one that runs, unless \
        --config or --control names another.

        Exit status: 0 if all of them are \(self.command == .stop ? "stopped" : "ready"); 1 if one is not; \
        64 usage, or several masters run; 69 no master answers; 75 it is being stopped; 77 no permission; \
        124 not within --timeout.
        """)
  }

  func execute(command: [ByteString]?) -> Int32 {
    do throws(ControlledMasterChoice.Obstacle) {
      let client = try ControlledMasterChoice.connect(
        control: self.target.control, configuration: self.target.config,
        argument: "its configuration with --config")
      return self.ask(client)
    } catch {
      Message.error("\(Self.command.rawValue): \(error.text)")
      return error.status
    }
  }

  private func ask(_ client: ControlClient) -> Int32 {
    let verb = Self.command.rawValue
    let method = verb.prefix(1).uppercased() + verb.dropFirst()
    do {
      try client.send(String(method), Call(workers: self.target.workers, wait: !self.target.noWait))
      let deadline = self.target.timeout.map { MonotonicInstant.now.advanced(by: $0) }
      let answer = try client.reply(as: Answer.self, by: deadline).value
      return self.target.noWait ? ExitStatus.success : self.judge(answer.workers)
    } catch ControlClient.Failure.timedOut {
      Message.error("\(verb): \(self.overdue(at: client))")
      return ExitStatus.timedOut
    } catch {
      Message.error("\(verb): \(ControlFailure.text(of: error, from: client))")
      return self.status(of: error)
    }
  }

  private func judge(_ workers: [MasterStatusSnapshot.Worker]) -> Int32 {
    var status = ExitStatus.success
    for worker in workers where !WorkerWait.isReached(Self.command, worker.state) {
      let why = worker.trouble.map { ": \($0)" } ?? ""
      Message.error("\(Self.command.rawValue): \(worker.name) is \(worker.state)\(why)")
      status = ExitStatus.notReady
    }
    return status
  }

  /// Who was not there in time. The master takes one call at a time on a connection: it is asked on another.
  private func overdue(at master: ControlClient) -> String {
    let limit = (self.target.timeout ?? .zero).text
    guard let other = try? ControlClient(to: master.path),
      let status = RunningMaster.asked([other]).first?.status
    else {
      return ControlFailure.text(of: ControlClient.Failure.timedOut, from: master)
    }
    let late = status.workers.filter {
      self.target.workers.contains($0.name) && !WorkerWait.isReached(Self.command, $0.state)
    }
    guard !late.isEmpty else { return "not done within \(limit)" }
    let list = late.map { "\($0.name) is still \($0.state)" }.joined(separator: ", ")
    return "\(list) after \(limit); the command goes on"
  }

  private func status(of error: any Error) -> Int32 {
    switch error as? ControlClient.Failure {
    case .refused(let error) where error.name == ControlInterface.name + ".Stopping":
      return ExitStatus.temporaryFailure
    case .refused(let error) where error.name == ControlInterface.name + ".NoSuchWorker":
      return ExitStatus.usage
    default: return ExitStatus.unavailable
    }
  }
}
