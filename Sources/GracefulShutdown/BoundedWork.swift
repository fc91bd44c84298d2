/// Work of somebody else's that may throw, block, or never return.
enum BoundedWork: Sendable {
  /// Runs as a task, and must suspend rather than block.
  case asynchronous(@Sendable () async throws -> Void)
  /// Runs on a thread of its own.
  case blocking(@Sendable () throws -> Void)

  enum End: Sendable {
    case done
    case failed(String)
    case timedOut
  }

  /// Starts it and returns with its end, or at the timeout. What is left then is cancelled if asked for,
  /// and holds up nothing but itself.
  func run(timeout: Duration, on clock: ShutdownClock, cancelling: Bool) async -> End {
    let end = Promise<End>()
    var task: Task<Void, Never>?
    switch self {
    case .asynchronous(let body):
      task = Task {
        do {
          try await body()
          end.fulfil(.done)
        } catch {
          end.fulfil(.failed("\(error)"))
        }
      }
    case .blocking(let body):
      do {
        try BlockingThread.start {
          do {
            try body()
            end.fulfil(.done)
          } catch {
            end.fulfil(.failed("\(error)"))
          }
        }
      } catch {
        end.fulfil(.failed("\(error)"))
      }
    }
    if let end = await end.value(until: clock.now + timeout, on: clock) { return end }
    if cancelling { task?.cancel() }
    return .timedOut
  }
}
