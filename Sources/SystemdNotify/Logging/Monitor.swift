internal import CProcCtl
internal import Glibc

/// A mutex with something to wait for (pthread_cond_timedwait(3)), by the monotonic clock.
///
/// It is unchecked Sendable because what it points to is made for being used by several threads.
final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    self.mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(self.mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    self.condition.initialize(to: pthread_cond_t())
    pthread_cond_init(self.condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(self.condition)
    pthread_mutex_destroy(self.mutex)
    self.condition.deallocate()
    self.mutex.deallocate()
  }

  func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(self.mutex)
    defer { pthread_mutex_unlock(self.mutex) }
    return body()
  }

  func wakeAll() { pthread_cond_broadcast(self.condition) }

  /// Lets go of the mutex until somebody wakes us, or for no reason. Only while it is locked.
  ///
  /// - Returns: False once the instant has passed.
  func wait(until instant: Int64) -> Bool {
    var time = timespec(tv_sec: Int(instant / 1_000_000_000), tv_nsec: Int(instant % 1_000_000_000))
    return pthread_cond_timedwait(self.condition, self.mutex, &time) != ETIMEDOUT
  }

  /// In nanoseconds of the monotonic clock, so long from now.
  static func instant(in time: Duration) -> Int64 {
    let (seconds, attoseconds) = time.components
    return cprocctl_monotonic_nanoseconds() + seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
