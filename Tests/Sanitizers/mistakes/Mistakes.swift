import Glibc
import Synchronization

/// Makes the mistakes that sanitizers are for, to show that they would be reported.
@main
enum Mistakes {
  static func main() {
    switch CommandLine.arguments.dropFirst().first {
    case "overflow": Self.overflow()
    case "race": Self.race()
    case "guarded": Self.guarded()
    default: exit(64)
    }
  }

  private static func overflow() {
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: 8)
    memory.initialize(repeating: 0, count: 8)
    memory[CommandLine.arguments.count + 6] = 1
    memory.deallocate()
  }

  private nonisolated(unsafe) static var unguarded = 0
  private static let counter = Mutex(0)

  private static func race() {
    Self.inTwoThreads { _ in
      for _ in 0..<100_000 { Mistakes.unguarded += 1 }
      return nil
    }
  }

  private static func guarded() {
    Self.inTwoThreads { _ in
      for _ in 0..<100_000 { Mistakes.counter.withLock { $0 += 1 } }
      return nil
    }
  }

  private static func inTwoThreads(
    _ body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
  ) {
    var threads: [pthread_t] = []
    for _ in 0..<2 {
      var thread = pthread_t()
      guard pthread_create(&thread, nil, body, nil) == 0 else { exit(70) }
      threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
  }
}
