internal import FoundationEssentials
package import ProcCtl

/// What `procctl spawn` tells on its status descriptor, a JSON object a line, as far
/// as those above it need it.
package enum GuardEvent: Sendable, Equatable {
  /// The command runs.
  case started(ProcessIdentity)
  /// The command could not be started.
  case failed(String)
  /// The command's own process has ended and left this many behind.
  case commandEnded(TerminationStatus, leftovers: Int)

  private struct Line: Decodable {
    var event: String
    var pid: Int32?
    var start_time: UInt64?
    var message: String?
    var exit_status: Int32?
    var signal: String?
    var core_dumped: Bool?
    var leftovers: Int?
  }

  /// Nil for events that say nothing new, and for what is no event.
  package init?(line: some Sequence<UInt8>) {
    guard let line = try? JSONDecoder().decode(Line.self, from: Data(line)) else { return nil }
    switch line.event {
    case "started":
      guard let pid = line.pid, let startTime = line.start_time else { return nil }
      self = .started(ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: startTime))
    case "failed":
      self = .failed(line.message ?? "its guard could not start it")
    case "command-ended":
      let status: TerminationStatus
      if let exitStatus = line.exit_status {
        status = .exited(exitStatus)
      } else if let signal = line.signal.flatMap({ Signal(name: $0) }) {
        status = .signaled(signal, coreDumped: line.core_dumped ?? false)
      } else {
        return nil
      }
      self = .commandEnded(status, leftovers: line.leftovers ?? 0)
    default:
      return nil
    }
  }
}
