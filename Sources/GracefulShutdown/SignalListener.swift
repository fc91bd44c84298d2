internal import FoundationEssentials
internal import Glibc
internal import Synchronization
internal import SystemPackage

extension ShutdownCoordinator {
  /// Has each of the configuration's signals initiate the shutdown, from now on and for good.
  ///
  /// For programs in which nobody else owns the signals: no `ServiceGroup`, no handlers, no
  /// `DispatchSource`. Call it first thing in `main`. It blocks the signals in the calling thread and in
  /// those it starts later, and takes them one by one on a thread of its own (sigwait(3)), where they
  /// interrupt nothing. A repeated signal is logged and ignored, as any other second attempt. Also has
  /// writes to closed connections fail (EPIPE) instead of ending the process: SIGPIPE is ignored.
  ///
  /// - Important: Programs started by this one inherit the blocked signals and cannot be ended by them,
  ///   unless whatever starts them clears their mask. `ProcCtl` and Foundation's `Process` do.
  /// - Throws: `ShutdownSetupError` with code `.signalsUnavailable` if this was called before in this
  ///   process, or if another thread exists that does not block the signals, and by which they would
  ///   still end the process.
  public func listenForSignals() throws(ShutdownSetupError) {
    try SignalListener.start(self.configuration.signals) { [weak self] signal in
      self?.initiate(reason: .signal("\(signal)"))
    }
  }
}

/// The one owner of a process's signals, if it is asked to be.
enum SignalListener {
  private static let isTaken = Mutex(false)

  static func start(
    _ signals: [ShutdownSignal], _ handle: @escaping @Sendable (ShutdownSignal) -> Void
  ) throws(ShutdownSetupError) {
    guard !signals.isEmpty else { return }
    let wasTaken = self.isTaken.withLock { isTaken in
      defer { isTaken = true }
      return isTaken
    }
    guard !wasTaken else {
      throw ShutdownSetupError(.signalsUnavailable, "the signals of this process are listened for already")
    }
    do {
      try self.begin(signals, handle)
    } catch {
      self.isTaken.withLock { $0 = false }
      throw error
    }
  }

  private static func begin(
    _ signals: [ShutdownSignal], _ handle: @escaping @Sendable (ShutdownSignal) -> Void
  ) throws(ShutdownSetupError) {
    if let thread = self.threadNotBlocking(signals) {
      let names = signals.map { "\($0)" }.joined(separator: " or ")
      throw ShutdownSetupError(
        .signalsUnavailable,
        "thread \(thread) would be ended by \(names); listen before other threads are started")
    }
    var set = self.set(signals)
    var former = sigset_t()
    pthread_sigmask(SIG_BLOCK, &set, &former)
    do {
      try BlockingThread.start {
        var set = self.set(signals)
        while true {
          var number: Int32 = 0
          if sigwait(&set, &number) == 0, let signal = ShutdownSignal(number: number) { handle(signal) }
        }
      }
    } catch {
      pthread_sigmask(SIG_SETMASK, &former, nil)
      throw ShutdownSetupError(.signalsUnavailable, "the signals cannot be listened for: \(error)")
    }
    signal(SIGPIPE, SIG_IGN)
  }

  private static func set(_ signals: [ShutdownSignal]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal.number) }
    return set
  }

  /// A thread besides this one that one of the signals can still be delivered to (proc(5), SigBlk).
  private static func threadNotBlocking(_ signals: [ShutdownSignal]) -> Int32? {
    let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
    let own = link?.split(separator: "/").last.flatMap { Int32($0) }
    let wanted = signals.reduce(UInt64(0)) { $0 | 1 << UInt64($1.number - 1) }
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? [] {
      guard let thread = Int32(name), thread != own,
        // Gone meanwhile, it is no danger.
        let bytes = FileManager.default.contents(atPath: "/proc/self/task/\(name)/status")
      else { continue }
      let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first {
        $0.hasPrefix("SigBlk:")
      }
      let mask = line.flatMap { UInt64($0.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) }
      if let mask, mask & wanted != wanted { return thread }
    }
    return nil
  }
}
