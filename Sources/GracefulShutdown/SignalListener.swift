internal import Glibc
internal import Synchronization
internal import SystemPackage

extension ShutdownCoordinator {
  /// Has each of the configuration's signals initiate the shutdown, from now on and for good.
  ///
  /// For programs in which nobody else owns the signals: no `ServiceGroup`, no handlers, no
  /// `DispatchSource`. May be called from any thread, at any time. A handler takes down which signal came
  /// (sigaction(2), SA_RESTART), and a thread does the rest (signal-safety(7)). A repeated signal is logged
  /// and ignored, as any other second attempt. Programs started by this one have the signals as ever.
  ///
  /// INT, QUIT and HUP stay ignored where they are, which is what a shell's background jobs and `nohup`
  /// want. Also, writes to closed connections fail (EPIPE) from now on instead of ending the process, if
  /// SIGPIPE was left at its default. The coordinator lives on as long as the process.
  ///
  /// - Throws: `ShutdownSetupError` with code `.signalsUnavailable` if this was called before in this
  ///   process, or one of the signals has a handler already: there is one owner. Nothing is changed then.
  public func listenForSignals() throws(ShutdownSetupError) {
    try SignalListener.start(self.configuration.signals) { signal in
      self.initiate(reason: .signal("\(signal)"))
    }
  }
}

/// The one owner of a process's signals, if it is asked to be.
enum SignalListener {
  private static let isTaken = Mutex(false)
  /// Where the handler writes. Set before there is a handler, and never again.
  nonisolated(unsafe) private static var writeEnd: Int32 = -1

  static func start(
    _ signals: [ShutdownSignal], _ handle: @escaping @Sendable (ShutdownSignal) -> Void
  ) throws(ShutdownSetupError) {
    try self.isTaken.withLock { isTaken throws(ShutdownSetupError) in
      guard !isTaken else {
        throw ShutdownSetupError(.signalsUnavailable, "the signals of this process are listened for already")
      }
      let wanted = try self.available(signals)
      try self.startThread(handle)
      for signal in wanted { self.install(signal) }
      isTaken = true
    }
  }

  /// Those to be handled: without the ones that shall stay ignored.
  private static func available(_ signals: [ShutdownSignal]) throws(ShutdownSetupError) -> [ShutdownSignal] {
    var available: [ShutdownSignal] = []
    for signal in signals {
      var current = sigaction()
      guard sigaction(signal.number, nil, &current) == 0 else {
        throw ShutdownSetupError(
          .signalsUnavailable, "\(signal) cannot be handled: \(Errno(rawValue: errno))")
      }
      // What a handler is, as a number: 0 the default, 1 ignored.
      switch unsafeBitCast(current.__sigaction_handler.sa_handler, to: Int.self) {
      case 0: available.append(signal)
      case 1: if signal == .terminate { available.append(signal) }
      default: throw ShutdownSetupError(.signalsUnavailable, "\(signal) has a handler already")
      }
    }
    return available
  }

  private static func startThread(
    _ handle: @escaping @Sendable (ShutdownSignal) -> Void
  ) throws(ShutdownSetupError) {
    do {
      let pipe = try FileDescriptor.pipe()
      for end in [pipe.readEnd, pipe.writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
      // A handler must not block. Who sends thousands of signals at once needs none of them to be counted.
      _ = fcntl(pipe.writeEnd.rawValue, F_SETFL, O_NONBLOCK)
      try BlockingThread.start {
        var byte: UInt8 = 0
        while true {
          let count = read(pipe.readEnd.rawValue, &byte, 1)
          if count == 1, let signal = ShutdownSignal(number: Int32(byte)) { handle(signal) }
          if count == 0 || (count < 0 && errno != EINTR) { return }
        }
      }
      self.writeEnd = pipe.writeEnd.rawValue
    } catch {
      throw ShutdownSetupError(.signalsUnavailable, "the signals cannot be listened for: \(error)")
    }
  }

  private static func install(_ signal: ShutdownSignal) {
    var action = sigaction()
    action.sa_flags = SA_RESTART
    action.__sigaction_handler.sa_handler = { number in
      let error = errno
      var byte = UInt8(truncatingIfNeeded: number)
      _ = write(SignalListener.writeEnd, &byte, 1)
      errno = error
    }
    sigaction(signal.number, &action, nil)
    // Whoever started this process may have left it blocked.
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, signal.number)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    var pipe = sigaction()
    sigaction(SIGPIPE, nil, &pipe)
    if unsafeBitCast(pipe.__sigaction_handler.sa_handler, to: Int.self) == 0 {
      Glibc.signal(SIGPIPE, SIG_IGN)
    }
  }
}
