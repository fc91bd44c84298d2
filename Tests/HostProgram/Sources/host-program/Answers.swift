import CHostProgram
import Glibc
import Synchronization

/// What the libraries answered, in the order it came, for the thread that observes.
final class Answers: Sendable {
  /// Readable when there is something to take.
  let readySignal: Int32
  private let waiting = Mutex<[(child: Int, answer: Answer)]>([])

  init() throws(Failure) {
    self.readySignal = host_eventfd()
    guard self.readySignal >= 0 else { throw Failure("eventfd: errno \(errno)") }
  }

  func add(_ answer: Answer, of child: Int) {
    self.waiting.withLock { $0.append((child, answer)) }
    var one: UInt64 = 1
    _ = write(self.readySignal, &one, 8)
  }

  func take() -> [(child: Int, answer: Answer)] {
    var count: UInt64 = 0
    _ = read(self.readySignal, &count, 8)
    return self.waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
  }
}
