internal import CProcCtl
internal import Glibc

/// How a process ended (waitid(2)). The kernel knows no third way: switch over both.
public enum TerminationStatus: Hashable, Sendable, CustomStringConvertible {
  /// It called exit with this status, 0 to 255.
  case exited(Int32)
  /// A signal ended it.
  case signaled(Signal, coreDumped: Bool)

  /// Whether it exited with status 0.
  public var isSuccess: Bool { self == .exited(0) }

  /// The status a shell shows for it: the exit status itself, or 128 + the signal's number.
  public var shellStatus: Int32 {
    switch self {
    case .exited(let status): status
    case .signaled(let signal, _): 128 + signal.rawValue
    }
  }

  /// Reads si_code and si_status of a siginfo_t that waitid filled in for WEXITED.
  package init(code: Int32, status: Int32) {
    switch code {
    case Int32(CLD_KILLED): self = .signaled(Signal(rawValue: status), coreDumped: false)
    case Int32(CLD_DUMPED): self = .signaled(Signal(rawValue: status), coreDumped: true)
    default: self = .exited(status)
    }
  }

  /// Reads a status as wait(2) and PIDFD_GET_INFO encode it.
  package init(waitStatus: Int32) {
    let signal = waitStatus & 0x7f
    self =
      signal == 0
      ? .exited(waitStatus >> 8 & 0xff)
      : .signaled(Signal(rawValue: signal), coreDumped: waitStatus & 0x80 != 0)
  }

  /// `exited with status 1`, or `ended by SIGTERM`.
  public var description: String {
    switch self {
    case .exited(let status): "exited with status \(status)"
    case .signaled(let signal, let coreDumped):
      "ended by \(signal)" + (coreDumped ? " (core dumped)" : "")
    }
  }
}
