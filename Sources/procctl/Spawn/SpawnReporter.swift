internal import ProcCtl

/// What spawn tells programs that ask: a JSON line when the command runs, and one at the end.
struct SpawnReporter {
  var descriptor: Int32?
  var finalOnStandardError: Bool

  private struct Started: Encodable {
    var event = "started"
    var pid: Int32
    var start_time: UInt64
  }

  private struct CommandEnded: Encodable {
    var event = "command-ended"
    var exit_status: Int32?
    var signal: String?
    var core_dumped: Bool
    var leftovers: Int
  }

  private struct Failed: Encodable {
    var event = "failed"
    var message: String
    var exit_status: Int32
  }

  private struct Ended: Encodable {
    var event = "ended"
    var pid: Int32
    var exit_status: Int32?
    var signal: String?
    var core_dumped: Bool
    var timed_out: Bool
    var leftovers: Int
    var last_signal: String?
    var survivors: [ProcessRecord]
    var held_ports: [String]
    var seconds: Double
  }

  func started(_ identity: ProcessIdentity) {
    guard let descriptor = self.descriptor else { return }
    JSONLine.write(
      Started(pid: identity.processIdentifier.value, start_time: identity.startTime), to: descriptor)
  }

  /// The command's own process has ended; what it left may live on.
  func commandEnded(_ status: TerminationStatus, leftovers: Int) {
    guard let descriptor = self.descriptor else { return }
    var ended = CommandEnded(core_dumped: false, leftovers: leftovers)
    switch status {
    case .exited(let status): ended.exit_status = status
    case .signaled(let signal, let coreDumped):
      ended.signal = signal.description
      ended.core_dumped = coreDumped
    }
    JSONLine.write(ended, to: descriptor)
  }

  /// The command was not started.
  func failed(_ message: String, exitStatus: Int32) {
    guard let descriptor = self.descriptor else { return }
    JSONLine.write(Failed(message: message, exit_status: exitStatus), to: descriptor)
  }

  func ended(_ report: GuardReport, heldPorts: [String]) {
    guard self.descriptor != nil || self.finalOnStandardError else { return }
    var ended = Ended(
      pid: report.identity.processIdentifier.value, core_dumped: false, timed_out: report.timedOut,
      leftovers: report.leftovers, last_signal: report.lastSignal?.description,
      survivors: report.survivors.map { ProcessRecord($0) }, held_ports: heldPorts,
      seconds: report.duration.inSeconds)
    switch report.status {
    case .exited(let status): ended.exit_status = status
    case .signaled(let signal, let coreDumped):
      ended.signal = signal.description
      ended.core_dumped = coreDumped
    case nil: break
    }
    if let descriptor = self.descriptor { JSONLine.write(ended, to: descriptor) }
    if self.finalOnStandardError { JSONLine.write(ended, to: 2) }
  }
}
