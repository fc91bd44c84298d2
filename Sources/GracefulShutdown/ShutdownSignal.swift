internal import Glibc

/// A signal that asks for a shutdown (signal(7)).
public struct ShutdownSignal: Hashable, Sendable, CustomStringConvertible {
  /// The signal's number on this system.
  public let number: Int32

  /// Creates a signal by its number.
  ///
  /// - Returns: nil for what is no signal, or cannot be waited for: KILL and STOP, and faults such as SEGV.
  public init?(number: Int32) {
    let unfit = [SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT]
    guard (1...64).contains(number), !(32...33).contains(number), !unfit.contains(number) else { return nil }
    self.number = number
  }

  private init(known number: Int32) {
    self.number = number
  }

  /// SIGTERM, by which systemd, container runtimes and `kill` ask a process to end.
  public static let terminate = ShutdownSignal(known: SIGTERM)
  /// SIGINT, which Ctrl-C at a terminal sends.
  public static let interrupt = ShutdownSignal(known: SIGINT)
  /// SIGQUIT, which Ctrl-\ at a terminal sends.
  public static let quit = ShutdownSignal(known: SIGQUIT)
  /// SIGHUP, sent when a terminal goes away.
  public static let hangUp = ShutdownSignal(known: SIGHUP)

  /// The name as in signal(7), such as `SIGTERM`.
  public var description: String {
    switch self.number {
    case SIGTERM: "SIGTERM"
    case SIGINT: "SIGINT"
    case SIGQUIT: "SIGQUIT"
    case SIGHUP: "SIGHUP"
    case SIGUSR1: "SIGUSR1"
    case SIGUSR2: "SIGUSR2"
    default: "signal \(self.number)"
    }
  }
}
