import RepositoryWorker
import Synchronization

/// git as a function from arguments to output, which remembers what it was asked.
final class FakeGit: GitRunning {
  private let answer: @Sendable ([String]) async throws -> GitOutput
  private let recorded = Mutex<[[String]]>([])

  var calls: [[String]] { self.recorded.withLock { $0 } }

  init(_ answer: @escaping @Sendable ([String]) async throws -> GitOutput) {
    self.answer = answer
  }

  static let commit = String(repeating: "a", count: 40)
  static let blob = String(repeating: "b", count: 40)

  /// A repository with one file, `f.txt`, of that text.
  convenience init(file text: String = "one\ntwo\n") {
    self.init { arguments in
      switch arguments.first {
      case "rev-parse": GitOutput(status: 0, output: Array("\(FakeGit.commit)\n".utf8))
      case "ls-tree" where arguments.contains("-l"):
        GitOutput(
          status: 0,
          output: Array(
            arguments.last == "f.txt"
              ? "100644 blob \(FakeGit.blob) \(text.utf8.count)\tf.txt\0".utf8 : "".utf8))
      case "cat-file": GitOutput(status: 0, output: Array(text.utf8))
      default: GitOutput(status: 128, errorText: "fatal: not this one\nmore\n")
      }
    }
  }

  func run(_ arguments: [String], outputLimit: Int) async throws -> GitOutput {
    self.recorded.withLock { $0.append(arguments) }
    return try await self.answer(arguments)
  }
}

/// Opens once; everybody who waits goes on then, also one whose task is cancelled.
final class Gate: Sendable {
  private let state = Mutex<(open: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

  func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let open = self.state.withLock { state in
          if !state.open { state.waiters.append(continuation) }
          return state.open
        }
        if open { continuation.resume() }
      }
    } onCancel: {
      self.open()
    }
  }

  func open() {
    let waiters = self.state.withLock { state in
      state.open = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
