internal import Synchronization

/// The work on one request: it can be cancelled from the moment the request is
/// known, also before it has begun.
final class RequestTask: Sendable {
  private struct State {
    var task: Task<JSONValue, any Error>?
    var isCancelled = false
  }

  private let state = Mutex(State())

  func cancel() {
    let task = self.state.withLock { state in
      state.isCancelled = true
      return state.task
    }
    task?.cancel()
  }

  /// Begins it. Call it once.
  func start(_ work: @escaping @Sendable () async throws -> JSONValue) -> Task<JSONValue, any Error> {
    let task = Task { try await work() }
    let isCancelled = self.state.withLock { state in
      state.task = task
      return state.isCancelled
    }
    if isCancelled { task.cancel() }
    return task
  }
}
