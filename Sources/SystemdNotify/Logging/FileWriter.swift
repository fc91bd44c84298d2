internal import Glibc

/// Does one after another what a disk may keep waiting, on a thread of its own, so that nobody else
/// waits for a disk that does not answer (a network file system whose server is gone, a device that
/// is stuck).
///
/// The thread is there while there is something to do, and for a moment after. What waits for it is
/// bounded: what does not fit is refused, and whoever has it counts it. Where no thread can be made,
/// as at a limit of processes (pthread_create(3), EAGAIN), it is done by whoever hands it over: that
/// disk is most likely well, and what happens at such a limit is worth knowing.
///
/// May be used from any thread. It is unchecked Sendable because its state is behind its mutex.
package final class FileWriter: @unchecked Sendable {
  /// How much may wait.
  package struct Limits: Sendable {
    package var jobs: Int
    package var bytes: Int

    package init(jobs: Int = 20_000, bytes: Int = 8 << 20) {
      self.jobs = jobs
      self.bytes = bytes
    }
  }

  /// What becomes of a job that takes long.
  package enum Notice: Sendable {
    /// It has not come back for so long that the disk cannot be counted on.
    case heldUp
    /// It has come back after all.
    case goesOn
  }

  private struct Job {
    var bytes: Int
    var run: @Sendable () -> Void
  }

  /// Returns 0, or the error number that kept the thread from being started.
  package typealias ThreadStart = @Sendable (_ body: @escaping @Sendable () -> Void) -> Int32

  /// A job that runs for longer is held up: no disk that works needs that for a few lines, and no machine
  /// stands still for so long.
  package static let patience = Duration.seconds(2)
  /// Making a thread for each of many lines would cost more than keeping it for a while.
  private static let lingering = Duration.milliseconds(500)

  private let limits: Limits
  private let startThread: ThreadStart
  private let monitor = Monitor()
  // Behind the monitor from here on.
  private var jobs: [Job] = []
  /// Of the first that waits.
  private var position = 0
  /// Of those that wait and of the one that runs.
  private var bytes = 0
  private var hasThread = false
  /// When the job that runs was begun, by the monotonic clock in nanoseconds.
  private var begunAt: Int64?
  private var isHeldUpKnown = false
  private var notice: (@Sendable (Notice) -> Void)?

  package init(
    limits: Limits = Limits(), startThread: @escaping ThreadStart = FileWriterThread.start
  ) {
    self.limits = limits
    self.startThread = startThread
  }

  /// Whom to tell that jobs are held up, once each time somebody has one and finds it so, and that they
  /// go on. Called on any thread, and it may hand over jobs.
  package func whenHeldUp(_ notice: @escaping @Sendable (Notice) -> Void) {
    self.monitor.locked { self.notice = notice }
  }

  /// Hands over a job, done after all that were handed over before. It must not wait for others.
  ///
  /// - Parameters:
  ///   - bytes: How much memory it keeps while it waits, more or less.
  ///   - always: Whether it is taken however much waits: for what comes once.
  /// - Returns: Whether it was taken.
  package func submit(bytes: Int, always: Bool = false, _ run: @escaping @Sendable () -> Void) -> Bool {
    var (isTaken, mustStart) = (false, false)
    var told: (@Sendable (Notice) -> Void)?
    self.monitor.locked {
      if !self.isHeldUpKnown, self.hasRun(for: Self.patience) {
        self.isHeldUpKnown = true
        told = self.notice
      }
      let waiting = self.jobs.count - self.position
      isTaken =
        always || waiting == 0
        || waiting < self.limits.jobs && self.bytes + bytes <= self.limits.bytes
      guard isTaken else { return }
      self.jobs.append(Job(bytes: bytes, run: run))
      self.bytes += bytes
      mustStart = !self.hasThread
      self.hasThread = true
      if !mustStart { self.monitor.wakeAll() }
    }
    // As if we were the thread: others only hand over meanwhile, so that everything keeps its order.
    if mustStart, self.startThread({ self.serve(lingering: Self.lingering) }) != 0 {
      self.serve(lingering: .zero)
    }
    told?(.heldUp)
    return isTaken
  }

  /// Waits until everything is done that was handed over, but no longer than that. Not from a job.
  ///
  /// - Returns: How many jobs are not done.
  package func drain(within limit: Duration) -> Int {
    let deadline = Monitor.instant(in: limit)
    return self.monitor.locked {
      while self.undone > 0, self.monitor.wait(until: deadline) {}
      return self.undone
    }
  }

  /// Whether a job has been running for longer than a disk that works would need.
  package var isHeldUp: Bool { self.monitor.locked { self.hasRun(for: Self.patience) } }

  // MARK: Behind the monitor

  private var undone: Int { self.jobs.count - self.position + (self.begunAt == nil ? 0 : 1) }

  private func hasRun(for time: Duration) -> Bool {
    guard let begunAt = self.begunAt else { return false }
    return Monitor.instant(in: .zero) - begunAt >= Int64(time / .nanoseconds(1))
  }

  private func next() -> Job? {
    guard self.position < self.jobs.count else {
      self.jobs = []
      self.position = 0
      return nil
    }
    let job = self.jobs[self.position]
    self.position += 1
    // Those that are done must not pile up where there is always one more.
    if self.position >= 1024 {
      self.jobs.removeFirst(self.position)
      self.position = 0
    }
    return job
  }

  // MARK: The thread

  private func serve(lingering: Duration) {
    while let job = self.take(lingering: lingering) {
      job.run()
      var told: (@Sendable (Notice) -> Void)?
      self.monitor.locked {
        // What is said now takes time of its own.
        self.begunAt = Monitor.instant(in: .zero)
        if self.isHeldUpKnown { told = self.notice }
        self.isHeldUpKnown = false
      }
      told?(.goesOn)
      self.monitor.locked {
        self.begunAt = nil
        self.bytes -= job.bytes
        if self.undone == 0 { self.monitor.wakeAll() }
      }
    }
  }

  /// The next one, waited for a while; without one the thread is over.
  private func take(lingering: Duration) -> Job? {
    let deadline = Monitor.instant(in: lingering)
    return self.monitor.locked {
      while true {
        if let job = self.next() {
          self.begunAt = Monitor.instant(in: .zero)
          return job
        }
        guard lingering > .zero, self.monitor.wait(until: deadline) else {
          self.hasThread = false
          return nil
        }
      }
    }
  }
}
