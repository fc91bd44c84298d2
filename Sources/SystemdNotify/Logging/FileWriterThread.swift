internal import CProcCtl
internal import Glibc

/// The thread of a ``FileWriter``.
///
/// No signal is handled on it: the loop reads them. What a fault of the thread's own raises is left
/// open, so that it takes the course it takes on any other (signal(7)).
package enum FileWriterThread {
  private static let faults = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP]
  /// Plenty for encoding a record; of memory it takes what is used.
  private static let stackSize = 1 << 20

  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Returns 0, or the error number that kept the thread from being started.
  package static func start(_ run: @escaping @Sendable () -> Void) -> Int32 {
    let body = Unmanaged.passRetained(Body(run))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, self.stackSize)
    // Before it runs: it begins with the mask of its maker.
    var blocked = sigset_t()
    sigfillset(&blocked)
    for fault in self.faults { sigdelset(&blocked, fault) }
    var before = sigset_t()
    pthread_sigmask(SIG_SETMASK, &blocked, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var thread = pthread_t()
    let error = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
        cprocctl_set_process_name("procctl-files")
        body.run()
        return nil
      }, body.toOpaque())
    if error != 0 { body.release() }
    return error
  }
}
