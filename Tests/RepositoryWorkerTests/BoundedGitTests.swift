import RepositoryWorker
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct BoundedGitTests {
  /// A git whose runs each wait for a gate, by their first argument, and the most that there were at once.
  final class Slow: GitRunning {
    private let state = Mutex<(running: Int, most: Int, seen: [String])>((0, 0, []))
    let gates: [String: Gate]
    let started: [String: Gate]

    init(_ names: [String]) {
      self.gates = Dictionary(uniqueKeysWithValues: names.map { ($0, Gate()) })
      self.started = Dictionary(uniqueKeysWithValues: names.map { ($0, Gate()) })
    }

    var most: Int { self.state.withLock { $0.most } }
    var seen: [String] { self.state.withLock { $0.seen } }

    func run(_ arguments: [String], outputLimit: Int) async throws -> GitOutput {
      let name = arguments.first ?? ""
      self.state.withLock { state in
        state.running += 1
        state.most = max(state.most, state.running)
        state.seen.append(name)
      }
      self.started[name]?.open()
      await self.gates[name]?.wait()
      self.state.withLock { $0.running -= 1 }
      return GitOutput(status: 0)
    }
  }

  @Test func noMoreThanTheLimitRunAtOnceAndAllDoInTheEnd() async throws {
    let names = (0..<20).map { "\($0)" }
    let slow = Slow(names)
    let git = BoundedGit(slow, limit: 3)
    try await withThrowingTaskGroup { group in
      for name in names { group.addTask { _ = try await git.run([name], outputLimit: 1) } }
      for gate in slow.gates.values { gate.open() }
      try await group.waitForAll()
    }
    #expect(slow.seen.count == 20)
    #expect(slow.most <= 3)
  }

  @Test func whoIsCancelledGivesUpHisPlaceInTheQueue() async throws {
    let slow = Slow(["a", "b", "c"])
    let git = BoundedGit(slow, limit: 1)
    let first = Task { try await git.run(["a"], outputLimit: 1) }
    await slow.started["a"]?.wait()
    let second = Task { try await git.run(["b"], outputLimit: 1) }
    second.cancel()
    await #expect(throws: CancellationError.self) { try await second.value }
    let third = Task { try await git.run(["c"], outputLimit: 1) }
    slow.gates["a"]?.open()
    slow.gates["c"]?.open()
    #expect(try await first.value.status == 0)
    #expect(try await third.value.status == 0)
    #expect(slow.seen == ["a", "c"])
  }

  @Test func whoIsCancelledBeforehandDoesNotBegin() async throws {
    let slow = Slow([])
    let git = BoundedGit(slow, limit: 1)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await git.run(["a"], outputLimit: 1)
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(slow.seen.isEmpty)
    #expect(try await git.run(["b"], outputLimit: 1).status == 0)
  }
}
