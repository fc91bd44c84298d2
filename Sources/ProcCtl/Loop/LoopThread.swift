internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// An event loop on a thread of its own, for programs whose main thread is theirs.
///
/// All signals are blocked on it, so that the program's handlers run on the
/// program's threads.
enum LoopThread {
  /// Starts the thread; the loop runs until it is stopped.
  static func start() throws(ProcessError) -> EventLoop {
    let loop = try EventLoop()
    var thread = pthread_t()
    let context = Unmanaged.passRetained(loop)
    let error = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let loop = Unmanaged<EventLoop>.fromOpaque(context).takeRetainedValue()
        var every = sigset_t()
        sigfillset(&every)
        pthread_sigmask(SIG_SETMASK, &every, nil)
        cprocctl_set_process_name("procctl-loop")
        try? loop.run()
        return nil
      }, context.toOpaque())
    guard error == 0 else {
      context.release()
      throw ProcessError(.eventLoop, doing: "start a thread", underlyingError: Errno(rawValue: error))
    }
    pthread_detach(thread)
    return loop
  }
}
