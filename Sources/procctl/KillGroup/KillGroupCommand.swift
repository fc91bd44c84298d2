public import ArgumentParser
public import ProcCtl
internal import Supervision

struct KillGroupCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "kill-group",
    abstract:
      "Ends processes somebody else started, with all that belongs to them, and waits until they are gone.",
    discussion: """
      TARGET is a PID, PID@STARTTIME (field 22 of /proc/PID/stat; nobody if the number was reused), \
      the NAME of a detached spawn, or the @WORKER of a master, which starts it again as \
      configured; where several masters have it, @PID/WORKER or @CONFIG/WORKER.

      Exit status: 0 if nothing of the targets is left; 1 if there is no such process; 125 if \
      somebody survived, procctl failed, or it would have ended itself or whom it runs \
      under; 64 for a bad command line or a target that is refused.
      """)

  @Argument(help: ArgumentHelp("Whom to end.", valueName: "target"))
  var targets: [String] = []

  @Option(help: "The signal that asks them to stop (default: TERM).", transform: OptionText.signal)
  var signal: Signal = .terminate

  @Option(
    parsing: .unconditional, help: "Time between that signal and KILL (default: 5s).",
    transform: OptionText.duration)
  var grace: Duration = .seconds(5)

  @Option(help: "How far it reaches.")
  var scope = StopScope.tree

  @Option(
    parsing: .unconditionalSingleValue,
    help: "End whoever listens on this TCP port, and all that belongs to it.", transform: OptionText.port)
  var port: [UInt16] = []

  @Flag(help: "Say whom it would end, and end nobody.")
  var dryRun = false

  @Flag(help: "Write a JSON report to standard output.")
  var json = false

  func validate() throws {
    if self.targets.isEmpty, self.port.isEmpty {
      throw ValidationError("say whom to end: a PID, PID@STARTTIME, a NAME, @WORKER, or --port")
    }
  }

  func execute(command: [ByteString]?) -> Int32 {
    do throws(ProcessError) {
      return try self.stop()
    } catch {
      Message.error("kill-group: \(error)")
      return ExitStatus.of(error)
    }
  }

  private func stop() throws(ProcessError) -> Int32 {
    let kernel = LinuxKernel()
    // Without /proc, or with another pid namespace's, nobody would be there.
    try kernel.verifyView()
    let workers = try KnownWorker.all(kernel: kernel)
    var parts = StopParts(scope: self.scope, workers: workers, kernel: kernel)
    for text in self.targets {
      switch try StopTarget.resolve(text, workers: workers, kernel: kernel) {
      case .process(let status): try parts.add(process: status)
      case .supervisor(let status): parts.add(supervisor: status)
      case .worker(let worker): try parts.add(worker: worker)
      case .missing(let reason):
        Message.error("kill-group: \(reason)")
        return ExitStatus.noSuchTarget
      case .unknown(let reason):
        Message.error("kill-group: \(reason)")
        return ExitStatus.failed
      case .refused(let reason):
        Message.error("kill-group: \(reason)")
        return ExitStatus.usage
      }
    }
    var listening: [(port: UInt16, sockets: Set<UInt32>)] = []
    for port in self.port {
      let holders = try PortGuard.listeners(on: port, kernel: kernel)
      listening.append((port, holders.sockets))
      if holders.processes.isEmpty {
        Message.error("kill-group: nobody we can see listens on port \(port)")
        return ExitStatus.noSuchTarget
      }
      for holder in holders.processes { try parts.add(holder: holder) }
    }

    let loop = try EventLoop()
    let stop = ForeignStop(loop: loop, parts: parts.parts, supervisors: parts.supervisors)
    if let objection = try stop.objection() {
      Message.error("kill-group: refused: \(objection)")
      return ExitStatus.failed
    }
    let reporter = KillGroupReporter(json: self.json) { stop.reason(for: $0)?.description }
    if self.dryRun {
      reporter.wouldEnd(try stop.members())
      return ExitStatus.success
    }
    var result: StopResult?
    stop.start(.standard(signal: self.signal, grace: self.grace)) { outcome in
      result = outcome
      loop.stop()
    }
    try loop.run()
    guard let result else { throw ProcessError(.eventLoop, doing: "wait for the processes") }
    // Somebody whom we may not look into may have the same socket.
    var held: [String] = []
    for (port, sockets) in listening {
      if let text = try PortGuard.stillListening(sockets, on: port) { held.append(text) }
    }
    reporter.ended(stop.everyone.map(\.process), result, heldPorts: held)
    return result.isEmpty && held.isEmpty ? ExitStatus.success : ExitStatus.failed
  }
}

extension StopScope: ExpressibleByArgument {}
