internal import CProcCtl
internal import Glibc
package import SystemPackage

/// Signals as events: blocked for the whole process and read from a signalfd(2).
///
/// Create it before any other thread exists, because a mask is per thread and
/// inherited: a thread that has a signal unblocked would take it away.
package final class SignalReader {
  /// A signal that came, and who sent it (0 for the kernel).
  package struct Arrival: Sendable, Equatable {
    package var signal: Signal
    package var sender: ProcessIdentifier
    package var code: Int32
  }

  package let descriptor: FileDescriptor

  /// Blocks the signals and opens a descriptor that becomes readable when one is pending.
  ///
  /// SIGCHLD gets its default action: inherited as ignored, the kernel would
  /// discard every status.
  package init(signals: [Signal]) throws(ProcessError) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal.rawValue) }
    if signals.contains(.childChanged) { Glibc.signal(SIGCHLD, SIG_DFL) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    let descriptor = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
    guard descriptor >= 0 else {
      throw ProcessError(.eventLoop, doing: "signalfd", underlyingError: Errno(rawValue: errno))
    }
    self.descriptor = FileDescriptor(rawValue: descriptor)
  }

  deinit {
    Glibc.close(self.descriptor.rawValue)
  }

  /// Takes all that are pending.
  package func read() -> [Arrival] {
    var arrivals: [Arrival] = []
    var buffer = [signalfd_siginfo](repeating: signalfd_siginfo(), count: 16)
    let size = MemoryLayout<signalfd_siginfo>.stride
    while true {
      let length = Glibc.read(self.descriptor.rawValue, &buffer, buffer.count * size)
      if length < 0 && errno == EINTR { continue }
      guard length > 0 else { return arrivals }
      for information in buffer.prefix(length / size) {
        arrivals.append(
          Arrival(
            signal: Signal(rawValue: Int32(information.ssi_signo)),
            sender: ProcessIdentifier(Int32(bitPattern: information.ssi_pid)),
            code: information.ssi_code))
      }
    }
  }
}
