internal import Glibc

/// Signals taken one by one by a thread that waits for them (sigwait(3)), instead of by handlers.
package struct SignalWait: Sendable {
  private let numbers: [Int32]

  /// Blocks the signals in this thread and in those it will start. Call it before any other thread
  /// exists, else one of those may still be ended by them.
  package init(blocking numbers: [Int32]) {
    self.numbers = numbers
    var set = SignalWait.set(numbers)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Ends the process by a write to a closed connection no longer; the write fails instead.
  package static func ignoreBrokenPipes() {
    signal(SIGPIPE, SIG_IGN)
  }

  /// Waits for the next one and returns its number. Blocks the thread.
  package func next() -> Int32 {
    var set = SignalWait.set(self.numbers)
    var number: Int32 = 0
    while sigwait(&set, &number) != 0 {}
    return number
  }

  private static func set(_ numbers: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in numbers { sigaddset(&set, number) }
    return set
  }
}
