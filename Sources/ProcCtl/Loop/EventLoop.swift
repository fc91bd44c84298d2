internal import CProcCtl
internal import Glibc
internal import Synchronization
package import SystemPackage

/// One thread that waits for everything: descriptors (epoll), timers (one
/// timerfd), and jobs handed over by other threads (one eventfd).
///
/// Sleeping costs nothing: with no timer armed and nothing ready there is no
/// wake-up at all. Handlers run on the thread that called ``run()``, never
/// concurrently, and everything but ``enqueue(_:)-(ExecutorJob)``, ``perform(_:)``
/// and ``stop()`` may be called from that thread only.
///
/// It is unchecked Sendable because its state is confined to that thread; what
/// other threads touch is behind the mutex.
package final class EventLoop: Scheduler, @unchecked Sendable {
  /// What a descriptor can be watched for (epoll_ctl(2)).
  package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Interest(rawValue: EPOLLIN.rawValue)
    package static let writable = Interest(rawValue: EPOLLOUT.rawValue)
    package static let urgent = Interest(rawValue: EPOLLPRI.rawValue)
    /// Reported whether asked for or not.
    package static let error = Interest(rawValue: EPOLLERR.rawValue)
    package static let hangUp = Interest(rawValue: EPOLLHUP.rawValue)
  }

  private struct Incoming {
    var jobs: [UnownedJob] = []
    var calls: [@Sendable () -> Void] = []
    var awake = false
  }

  private let epoll: Int32
  private let wakeDescriptor: Int32
  private let timerDescriptor: Int32
  private let incoming = Mutex(Incoming())
  private var watches: [Int32: (Interest) -> Void] = [:]
  /// What each of them is watched for.
  private var interests: [Int32: Interest] = [:]
  /// Whether epoll has been given up.
  private var polls = false
  private var timers = TimerQueue()
  private var armedFor: MonotonicInstant?
  private var stopRequested = false

  /// - Throws: `ProcessError` with code `.eventLoop` if the kernel refuses a descriptor.
  package init() throws(ProcessError) {
    self.epoll = try EventLoop.checked("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
    do {
      self.wakeDescriptor = try EventLoop.checked("eventfd") {
        eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
      }
    } catch {
      close(self.epoll)
      throw error
    }
    do {
      self.timerDescriptor = try EventLoop.checked("timerfd_create") {
        timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK))
      }
    } catch {
      close(self.epoll)
      close(self.wakeDescriptor)
      throw error
    }
    for descriptor in [self.wakeDescriptor, self.timerDescriptor] {
      _ = try EventLoop.checked("epoll_ctl") {
        cprocctl_epoll_add(self.epoll, descriptor, EPOLLIN.rawValue)
      }
    }
  }

  deinit {
    close(self.timerDescriptor)
    close(self.wakeDescriptor)
    close(self.epoll)
  }

  private static func checked(
    _ call: String, _ body: () -> Int32
  ) throws(ProcessError) -> Int32 {
    let result = body()
    guard result >= 0 else {
      throw ProcessError(.eventLoop, doing: call, underlyingError: Errno(rawValue: errno))
    }
    return result
  }

  // MARK: Descriptors

  /// Calls the handler whenever the descriptor is ready, until ``unwatch(_:)``.
  /// The descriptor stays the caller's, who unwatches it before closing it.
  package func watch(
    _ descriptor: FileDescriptor, for interest: Interest, handler: @escaping (Interest) -> Void
  ) throws(ProcessError) {
    if !self.polls {
      _ = try EventLoop.checked("epoll_ctl") {
        cprocctl_epoll_add(self.epoll, descriptor.rawValue, interest.rawValue)
      }
    }
    self.watches[descriptor.rawValue] = handler
    self.interests[descriptor.rawValue] = interest
  }

  /// Changes what a watched descriptor is watched for.
  package func rewatch(_ descriptor: FileDescriptor, for interest: Interest) throws(ProcessError) {
    if !self.polls {
      _ = try EventLoop.checked("epoll_ctl") {
        cprocctl_epoll_modify(self.epoll, descriptor.rawValue, interest.rawValue)
      }
    }
    self.interests[descriptor.rawValue] = interest
  }

  /// Stops watching; does nothing for a descriptor that is not watched.
  package func unwatch(_ descriptor: FileDescriptor) {
    guard self.watches.removeValue(forKey: descriptor.rawValue) != nil else { return }
    self.interests[descriptor.rawValue] = nil
    if !self.polls { _ = cprocctl_epoll_remove(self.epoll, descriptor.rawValue) }
  }

  // MARK: Timers

  package var now: MonotonicInstant { .now }

  /// Calls the handler once, at the instant or as soon after it as the thread is free.
  @discardableResult
  package func schedule(at deadline: MonotonicInstant, _ handler: @escaping () -> Void) -> TimerIdentifier {
    TimerIdentifier(number: self.timers.insert(deadline: deadline, handler: handler))
  }

  package func cancel(_ timer: TimerIdentifier) {
    self.timers.remove(timer.number)
  }

  // MARK: Other threads

  /// Runs the closure on the loop's thread. May be called from any thread.
  package func perform(_ call: @escaping @Sendable () -> Void) {
    self.hand { $0.calls.append(call) }
  }

  /// Ends ``run()`` after the handlers now running. May be called from any thread.
  package func stop() {
    self.perform { [self] in self.stopRequested = true }
  }

  fileprivate func hand(job: UnownedJob) {
    self.hand { $0.jobs.append(job) }
  }

  private func hand(_ change: (inout sending Incoming) -> Void) {
    let mustWake = self.incoming.withLock { incoming in
      change(&incoming)
      defer { incoming.awake = true }
      return !incoming.awake
    }
    guard mustWake else { return }
    var one: UInt64 = 1
    _ = write(self.wakeDescriptor, &one, MemoryLayout<UInt64>.size)
  }

  // MARK: Running

  /// Serves until ``stop()``. The calling thread becomes the loop's thread.
  package func run() throws(ProcessError) {
    self.stopRequested = false
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while true {
      self.runIncoming()
      if self.stopRequested { return }
      let limit = self.armTimer()
      let count = epoll_wait(self.epoll, &events, Int32(events.count), limit)
      if count < 0 {
        if errno == EINTR { continue }
        throw ProcessError(.eventLoop, doing: "epoll_wait", underlyingError: Errno(rawValue: errno))
      }
      for index in 0..<Int(count) {
        let descriptor = cprocctl_epoll_event_fd(&events[index])
        let ready = Interest(rawValue: cprocctl_epoll_event_events(&events[index]))
        if descriptor == self.wakeDescriptor || descriptor == self.timerDescriptor {
          var counter: UInt64 = 0
          _ = read(descriptor, &counter, MemoryLayout<UInt64>.size)
          if descriptor == self.timerDescriptor { self.armedFor = nil }
        } else if let handler = self.watches[descriptor] {
          handler(ready)
        }
      }
      self.fireTimers()
    }
  }

  /// Serves as ``run()`` does until ``stop()``, but by poll(2): for when that has thrown and what is
  /// under way has to be brought to its end. Slower the more is watched; there is no way back.
  package func runByPolling() throws(ProcessError) {
    self.polls = true
    self.stopRequested = false
    while true {
      self.runIncoming()
      if self.stopRequested { return }
      // The flags are the same (epoll_ctl(2), poll(2)).
      var watched = self.interests.map {
        pollfd(fd: $0.key, events: Int16(truncatingIfNeeded: $0.value.rawValue), revents: 0)
      }
      watched.append(pollfd(fd: self.wakeDescriptor, events: Int16(POLLIN), revents: 0))
      let next = self.timers.earliestDeadline
      let count = poll(&watched, nfds_t(watched.count), next.map(EventLoop.milliseconds(until:)) ?? -1)
      if count < 0 {
        if errno == EINTR { continue }
        throw ProcessError(.eventLoop, doing: "poll", underlyingError: Errno(rawValue: errno))
      }
      for entry in watched where entry.revents != 0 {
        if entry.fd == self.wakeDescriptor {
          var counter: UInt64 = 0
          _ = read(entry.fd, &counter, MemoryLayout<UInt64>.size)
        } else if Int32(entry.revents) & POLLNVAL != 0 {
          // Closed by somebody: epoll would have forgotten it too.
          self.unwatch(FileDescriptor(rawValue: entry.fd))
        } else {
          self.watches[entry.fd]?(Interest(rawValue: UInt32(UInt16(bitPattern: entry.revents))))
        }
      }
      self.fireTimers()
    }
  }

  /// Never too early: rounded up.
  private static func milliseconds(until deadline: MonotonicInstant) -> Int32 {
    let left = deadline.nanoseconds - MonotonicInstant.now.nanoseconds
    return left <= 0 ? 0 : Int32(clamping: left / 1_000_000 + 1)
  }

  private func runIncoming() {
    let (jobs, calls) = self.incoming.withLock { incoming in
      let taken = (incoming.jobs, incoming.calls)
      incoming = Incoming()
      return taken
    }
    for call in calls { call() }
    for job in jobs {
      job.runSynchronously(
        isolatedTo: self.asUnownedSerialExecutor(), taskExecutor: self.asUnownedTaskExecutor())
    }
  }

  private func fireTimers() {
    while let handler = self.timers.popDue(at: .now) { handler() }
  }

  /// Returns how many milliseconds to wait at most; -1, for as long as it takes, if the timer is armed.
  private func armTimer() -> Int32 {
    let next = self.timers.earliestDeadline
    guard next != self.armedFor else { return -1 }
    // Zero would disarm it, so an instant long gone is moved to 1.
    let isArmed = cprocctl_timerfd_arm(self.timerDescriptor, next.map { max($0.nanoseconds, 1) } ?? 0) == 0
    self.armedFor = isArmed ? next : nil
    guard !isArmed, let next else { return -1 }
    // The kernel has no memory for it now: the deadline is kept all the same.
    return EventLoop.milliseconds(until: next)
  }
}

// Actors pin themselves to the loop by `unownedExecutor`, tasks by executor
// preference; their jobs then run between two waits of the same thread.
extension EventLoop: SerialExecutor, TaskExecutor {
  package func enqueue(_ job: consuming ExecutorJob) {
    self.hand(job: UnownedJob(job))
  }

  package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    UnownedSerialExecutor(ordinary: self)
  }
}
