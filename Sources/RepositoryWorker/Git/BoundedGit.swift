internal import Synchronization

/// Lets so many runs of git go on at a time; the others wait in the order they came.
package final class BoundedGit: GitRunning {
  private struct State {
    var free: Int
    var lastID: UInt64 = 0
    var waiting: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
    /// Cancelled while they came or went.
    var cancelled: Set<UInt64> = []

    mutating func nextID() -> UInt64 {
      self.lastID += 1
      return self.lastID
    }
  }

  private let git: any GitRunning
  private let state: Mutex<State>

  /// - Parameter limit: How many at a time; at least one.
  package init(_ git: any GitRunning, limit: Int = 8) {
    self.git = git
    self.state = Mutex(State(free: max(1, limit)))
  }

  package func run(_ arguments: [String], outputLimit: Int) async throws -> GitOutput {
    guard await self.enter() else { throw CancellationError() }
    defer { self.leave() }
    return try await self.git.run(arguments, outputLimit: outputLimit)
  }

  /// Waits for a place; false if the task was cancelled before there was one.
  private func enter() async -> Bool {
    let id = self.state.withLock { $0.nextID() }
    defer { _ = self.state.withLock { $0.cancelled.remove(id) } }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let decided = self.state.withLock { state -> Bool? in
          if state.cancelled.contains(id) { return false }
          if state.free > 0 {
            state.free -= 1
            return true
          }
          state.waiting.append((id, continuation))
          return nil
        }
        if let decided { continuation.resume(returning: decided) }
      }
    } onCancel: {
      let waiter = self.state.withLock { state -> CheckedContinuation<Bool, Never>? in
        guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
          state.cancelled.insert(id)
          return nil
        }
        return state.waiting.remove(at: index).continuation
      }
      waiter?.resume(returning: false)
    }
  }

  private func leave() {
    let next = self.state.withLock { state -> CheckedContinuation<Bool, Never>? in
      guard !state.waiting.isEmpty else {
        state.free += 1
        return nil
      }
      // The place goes from hand to hand.
      return state.waiting.removeFirst().continuation
    }
    next?.resume(returning: true)
  }
}
