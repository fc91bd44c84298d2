internal import Glibc

/// Runs a cleanup of a program's own on a thread of its own: it may block, and what it does when its
/// time is over keeps nobody.
enum CleanupThread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Returns 0, or the error number that kept the thread from being started.
  ///
  /// All signals are blocked on it: the loop reads them.
  static func start(_ run: @escaping @Sendable () -> Void) -> Int32 {
    let body = Unmanaged.passRetained(Body(run))
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
        var every = sigset_t()
        sigfillset(&every)
        pthread_sigmask(SIG_SETMASK, &every, nil)
        body.run()
        return nil
      }, body.toOpaque())
    if error == 0 { pthread_detach(thread) } else { body.release() }
    return error
  }
}
