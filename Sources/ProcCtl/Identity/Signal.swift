internal import CProcCtl
internal import Glibc

/// A signal, by its number (signal(7)).
public struct Signal: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The number on this architecture.
  public var rawValue: Int32

  /// Takes any number; whether there is such a signal shows when it is sent.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// SIGHUP: the terminal is gone; to daemons, often "read your configuration again".
  public static let hangUp = Signal(rawValue: SIGHUP)
  /// SIGINT, which Ctrl-C at a terminal sends.
  public static let interrupt = Signal(rawValue: SIGINT)
  /// SIGQUIT, which Ctrl-\ at a terminal sends; by default with a core dump.
  public static let quit = Signal(rawValue: SIGQUIT)
  /// SIGKILL, which cannot be handled, blocked or ignored.
  public static let kill = Signal(rawValue: SIGKILL)
  /// SIGTERM, the request to end.
  public static let terminate = Signal(rawValue: SIGTERM)
  /// SIGCHLD: a child has ended, stopped or gone on.
  public static let childChanged = Signal(rawValue: SIGCHLD)
  /// SIGCONT: what is stopped goes on.
  public static let `continue` = Signal(rawValue: SIGCONT)
  /// SIGSTOP, which stops, and cannot be handled, blocked or ignored.
  public static let stop = Signal(rawValue: SIGSTOP)
  /// SIGTSTP, which Ctrl-Z at a terminal sends.
  public static let terminalStop = Signal(rawValue: SIGTSTP)
  /// SIGTTIN: read from the terminal in the background.
  public static let terminalInput = Signal(rawValue: SIGTTIN)
  /// SIGTTOU: wrote to the terminal in the background.
  public static let terminalOutput = Signal(rawValue: SIGTTOU)
  /// SIGUSR1, for the program's own use.
  public static let user1 = Signal(rawValue: SIGUSR1)
  /// SIGUSR2, for the program's own use.
  public static let user2 = Signal(rawValue: SIGUSR2)
  /// SIGPIPE: wrote to a pipe or socket that nobody reads.
  public static let brokenPipe = Signal(rawValue: SIGPIPE)
  /// SIGWINCH: the terminal has another size.
  public static let windowChanged = Signal(rawValue: SIGWINCH)

  /// SIGILL: an instruction there is none of; also how a trap in Swift ends on some machines.
  public static let illegalInstruction = Signal(rawValue: SIGILL)
  /// SIGABRT, which abort(3) raises.
  public static let abort = Signal(rawValue: SIGABRT)
  /// SIGBUS: a bad access to memory, as beyond the end of a mapped file.
  public static let busError = Signal(rawValue: SIGBUS)
  /// SIGFPE: arithmetic without a result, as an integer divided by zero.
  public static let floatingPointError = Signal(rawValue: SIGFPE)
  /// SIGSEGV: an access to memory that is not there.
  public static let segmentationFault = Signal(rawValue: SIGSEGV)
  /// SIGTRAP: a breakpoint.
  public static let trap = Signal(rawValue: SIGTRAP)
  /// SIGSYS: a system call that is not allowed (seccomp(2)).
  public static let badSystemCall = Signal(rawValue: SIGSYS)
  /// SIGPWR: the power is failing.
  public static let powerFailure = Signal(rawValue: SIGPWR)
  /// SIGRTMIN+3, by which systemd as process 1 is told to halt (systemd(1)).
  public static var haltRequest: Signal { Signal(rawValue: cprocctl_real_time_signal_minimum() + 3) }

  private static let names: [(String, Int32)] = [
    ("HUP", SIGHUP), ("INT", SIGINT), ("QUIT", SIGQUIT), ("ILL", SIGILL), ("TRAP", SIGTRAP),
    ("ABRT", SIGABRT), ("BUS", SIGBUS), ("FPE", SIGFPE), ("KILL", SIGKILL), ("USR1", SIGUSR1),
    ("SEGV", SIGSEGV), ("USR2", SIGUSR2), ("PIPE", SIGPIPE), ("ALRM", SIGALRM), ("TERM", SIGTERM),
    ("STKFLT", 16), ("CHLD", SIGCHLD), ("CONT", SIGCONT), ("STOP", SIGSTOP), ("TSTP", SIGTSTP),
    ("TTIN", SIGTTIN), ("TTOU", SIGTTOU), ("URG", SIGURG), ("XCPU", SIGXCPU), ("XFSZ", SIGXFSZ),
    ("VTALRM", SIGVTALRM), ("PROF", SIGPROF), ("WINCH", SIGWINCH), ("IO", SIGIO), ("POLL", SIGIO),
    ("PWR", SIGPWR), ("SYS", SIGSYS), ("IOT", SIGABRT), ("CLD", SIGCHLD),
  ]

  /// Reads `TERM`, `SIGTERM`, `term`, `15`, `RTMIN+3` or `RTMAX-1`; nil for anything else.
  public init?(name: String) {
    var upper = name.uppercased()
    if let number = Int32(upper) {
      guard Signal.all.contains(Signal(rawValue: number)) else { return nil }
      self.rawValue = number
      return
    }
    // As those without a name describe themselves.
    if upper.hasPrefix("SIGNAL "), let number = Int32(upper.dropFirst(7)), (1...64).contains(number) {
      self.rawValue = number
      return
    }
    if upper.hasPrefix("SIG") { upper.removeFirst(3) }
    if let known = Signal.names.first(where: { $0.0 == upper }) {
      self.rawValue = known.1
      return
    }
    let minimum = cprocctl_real_time_signal_minimum()
    let maximum = cprocctl_real_time_signal_maximum()
    let offset: Int32
    if upper == "RTMIN" {
      offset = minimum
    } else if upper == "RTMAX" {
      offset = maximum
    } else if upper.hasPrefix("RTMIN+"), let number = Int32(upper.dropFirst(6)), (0...64).contains(number) {
      offset = minimum + number
    } else if upper.hasPrefix("RTMAX-"), let number = Int32(upper.dropFirst(6)), (0...64).contains(number) {
      offset = maximum - number
    } else {
      return nil
    }
    guard (minimum...maximum).contains(offset) else { return nil }
    self.rawValue = offset
  }

  /// Every signal a program can send: 1 to SIGRTMAX without the two glibc keeps to itself.
  public static var all: [Signal] {
    let maximum = cprocctl_real_time_signal_maximum()
    let minimum = cprocctl_real_time_signal_minimum()
    return (1...maximum).filter { $0 < 32 || $0 >= minimum }.map(Signal.init(rawValue:))
  }

  /// The name with its prefix: `SIGTERM`, `SIGRTMIN+3`.
  public var description: String {
    if let known = Signal.names.first(where: { $0.1 == self.rawValue }) { return "SIG" + known.0 }
    let minimum = cprocctl_real_time_signal_minimum()
    if self.rawValue >= minimum, self.rawValue <= cprocctl_real_time_signal_maximum() {
      return self.rawValue == minimum ? "SIGRTMIN" : "SIGRTMIN+\(self.rawValue - minimum)"
    }
    return "signal \(self.rawValue)"
  }
}
