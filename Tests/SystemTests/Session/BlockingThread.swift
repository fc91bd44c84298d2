import Glibc

/// Runs what blocks on a thread of its own: the pool that tests run on has no
/// thread to spare, and time limits need one.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    let work = Unmanaged.passRetained(ThreadBody { continuation.resume(with: Result { try body() }) })
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { @Sendable argument in
        if let argument { Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, work.toOpaque())
    if failure == 0 {
      pthread_detach(thread)
    } else {
      work.release()
      continuation.resume(throwing: WaitError("no thread: error \(failure)"))
    }
  }
}

private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void

  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
