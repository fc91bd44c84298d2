import Glibc
import Synchronization

/// Which library said what about which child.
final class Ledger: Sendable {
  enum Library: String, CaseIterable {
    case foundation = "Foundation.Process"
    case subprocess = "swift-subprocess"
    case procctl = "ProcCtl"
  }

  /// What a library says: a status, or why it has none.
  enum Answer: Equatable {
    case status(Int32)
    case trouble(String)
  }

  private struct Entries {
    var answers: [Library: [Int32: Answer]] = [:]
    var orphans: [Orphan] = []
    var orphanTroubles: [String] = []
  }

  private let entries = Mutex(Entries())

  /// - Parameter limit: After this the account is closed, whoever is still waiting.
  init(limit: Duration) {
    let timer = Thread { [unowned self] in
      _ = poll(nil, 0, Int32(limit / .milliseconds(1)))
      print("after \(limit) not everybody has heard of his children")
      self.close()
    }
    timer.start()
  }

  func enter(_ library: Library, _ expected: Int32, _ answer: Answer) {
    self.entries.withLock { $0.answers[library, default: [:]][expected] = answer }
  }

  func adopt(_ result: Result<Orphan, OrphanMaker.Failure>) {
    self.entries.withLock {
      switch result {
      case .success(let orphan): $0.orphans.append(orphan)
      case .failure(let failure): $0.orphanTroubles.append(failure.description)
      }
    }
  }

  /// Writes the report and ends the program.
  func close() -> Never {
    let entries = self.entries.withLock { $0 }
    var problems: [String] = []
    for library in Library.allCases {
      let answers = entries.answers[library] ?? [:]
      var right = 0
      for number in 1...Host.count {
        let expected = Int32(number + 20)
        switch answers[expected] {
        case .status(expected): right += 1
        case .status(let other):
          problems.append("\(library.rawValue): a child that exited \(expected) was reported as \(other)")
        case .trouble(let text):
          problems.append("\(library.rawValue): a child that exited \(expected): \(text)")
        case nil: problems.append("\(library.rawValue): nothing was heard of a child that exited \(expected)")
        }
      }
      print("\(library.rawValue): \(right) of \(Host.count) statuses are right")
    }
    problems += entries.orphanTroubles.map { "an orphan could not be made: \($0)" }
    // The grace is 500 ms, and orphans are looked for once per grace.
    let deadline = Orphan.now() + 5_000
    let left = entries.orphans.filter { !$0.isReaped(by: deadline) }
    print("orphans: \(entries.orphans.count - left.count) of \(entries.orphans.count) are reaped")
    problems += left.map { "orphan \($0.pid) is left: \($0.state)" }
    if entries.orphans.count < Host.count {
      problems.append("only \(entries.orphans.count) orphans were adopted")
    }
    for problem in problems.prefix(20) { print("wrong: \(problem)") }
    if problems.count > 20 { print("wrong: and \(problems.count - 20) more") }
    print(problems.isEmpty ? "all is right" : "\(problems.count) are wrong")
    exit(problems.isEmpty ? 0 : 1)
  }
}

/// A thread that nobody waits for.
final class Thread: Sendable {
  private let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  func start() {
    var thread = pthread_t()
    _ = pthread_create(
      &thread, nil,
      { @Sendable argument in
        if let argument { Unmanaged<Thread>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
  }
}
