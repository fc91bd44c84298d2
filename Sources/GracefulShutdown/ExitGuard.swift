internal import Glibc
internal import Logging
internal import Synchronization

/// Ends the process with a status, and makes sure that it does end.
///
/// exit(3) runs what was registered with atexit(3) and flushes standard output, and each of them can hang.
/// A thread of the guard's own waits for no longer than the timeout, by the monotonic clock, says so on
/// standard error, and ends the process at once (_exit(2)).
public struct ExitGuard: Hashable, Sendable {
  /// The status of a process whose shutdown or exit had to be cut short: 100.
  public static let overdueStatus: Int32 = 100

  /// How long the exit may take.
  public var timeout: Duration

  /// Creates a guard.
  public init(timeout: Duration = .seconds(5)) {
    self.timeout = timeout
  }

  /// Ends the process with this status, or with ``overdueStatus`` if that takes longer than the timeout.
  public func exit(_ status: Int32) -> Never {
    let timeout = self.timeout
    do {
      try BlockingThread.start {
        ExitGuard.sleep(for: timeout)
        ExitGuard.end("the exit with status \(status) took more than \(timeout.secondsText) s")
      }
    } catch {
      // Without somebody to watch it is better not to run what may hang.
      ExitGuard.end("\(error)", status: status)
    }
    Glibc.exit(status)
  }

  static func sleep(for duration: Duration) {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    let (seconds, attoseconds) = duration.components
    deadline.tv_sec += Int(seconds)
    deadline.tv_nsec += Int(attoseconds / 1_000_000_000)
    if deadline.tv_nsec >= 1_000_000_000 {
      deadline.tv_sec += 1
      deadline.tv_nsec -= 1_000_000_000
    }
    while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nil) == EINTR {}
  }

  static func end(_ why: String, status: Int32 = ExitGuard.overdueStatus) -> Never {
    let line = "graceful-shutdown: \(why); ending the process\n"
    // Nothing may block here: a pipe that can be written to takes a line at once (pipe(7), PIPE_BUF).
    var standardError = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
    if poll(&standardError, 1, 0) == 1 {
      _ = line.utf8.withContiguousStorageIfAvailable { write(2, $0.baseAddress, $0.count) }
    }
    _exit(status)
  }
}

extension ShutdownReport {
  /// 0 if all is clean, 1 if requests were cut short or clients disconnected by force, 6 if a cleanup or
  /// flush hook failed.
  public var exitStatus: Int32 {
    if self.failures.contains(where: { $0.phase == .cleaningUp || $0.phase == .flushing }) { return 6 }
    return self.isClean ? 0 : 1
  }
}

extension ShutdownCoordinator {
  /// Waits for the shutdown and ends the process, with a status made from its report.
  ///
  /// A watchdog makes sure that the process ends once the shutdown is initiated, whatever hangs: should
  /// the shutdown take longer than the sum of its timeouts and ``ShutdownTimeouts/exit``, which can only
  /// happen when all threads for tasks are blocked, or should the exit itself take longer than that, the
  /// process ends with ``ExitGuard/overdueStatus``.
  ///
  /// - Parameter status: The status; by default ``ShutdownReport/exitStatus``.
  public func exitWhenFinished(
    status: @Sendable (ShutdownReport) -> Int32 = { $0.exitStatus }
  ) async -> Never {
    if self.state.withLock({ $0.beGuarded() }) { self.watch() }
    let report = await self.report
    ExitGuard(timeout: self.timeouts.exit).exit(status(report))
  }

  /// Starts the watchdog of a shutdown that has begun.
  func watch() {
    let start = self.clock.now
    let timeouts = self.timeouts
    do {
      try BlockingThread.start {
        var waited = Duration.zero
        // What is registered meanwhile has its time too.
        while true {
          let limit = self.state.withLock { $0.granted(timeouts) } + timeouts.exit
          guard waited < limit else { break }
          ExitGuard.sleep(for: limit - waited)
          waited = limit
        }
        // Over already, the exit is guarded by itself.
        let (isFinished, phase) = self.state.withLock { ($0.phase == .finished, $0.phase) }
        guard !isFinished else { return }
        ExitGuard.end("the shutdown hangs in \(phase) after \((self.clock.now - start).secondsText) s")
      }
    } catch {
      self.logger.error("the shutdown goes on without a watchdog: \(error)")
    }
  }
}
