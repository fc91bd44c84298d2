import Glibc

/// A thread of the test's own: what blocks must not occupy the pool that the
/// other tests run on.
final class TestThread {
  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  private var thread = pthread_t()

  init(_ body: @escaping @Sendable () -> Void) {
    let work = Unmanaged.passRetained(Work(body)).toOpaque()
    let result = pthread_create(
      &self.thread, nil,
      { pointer in
        if let pointer { Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().body() }
        return nil
      }, work)
    precondition(result == 0, "pthread_create")
  }

  func join() {
    pthread_join(self.thread, nil)
  }
}
