internal import Synchronization

/// A value that arrives once; the first one wins and later ones are ignored.
final class Promise<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiters: [@Sendable (Value) -> Void] = []
  }

  private let state = Mutex(State())

  /// Returns whether this call was the one that settled it.
  @discardableResult
  func fulfil(_ value: Value) -> Bool {
    let waiters = self.state.withLock { state -> [@Sendable (Value) -> Void]? in
      guard state.value == nil else { return nil }
      state.value = value
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters ?? [] { waiter(value) }
    return waiters != nil
  }

  func whenFulfilled(_ body: @escaping @Sendable (Value) -> Void) {
    let present = self.state.withLock { state -> Value? in
      if state.value == nil { state.waiters.append(body) }
      return state.value
    }
    if let present { body(present) }
  }

  var value: Value {
    get async {
      await withCheckedContinuation { continuation in
        self.whenFulfilled { continuation.resume(returning: $0) }
      }
    }
  }

  /// The value, or nil once the clock has reached the deadline. Does not outlive
  /// the deadline for anything, and takes no notice of the task being cancelled.
  func value(until deadline: Duration, on clock: ShutdownClock) async -> Value? {
    if let present = self.state.withLock({ $0.value }) { return present }
    let first = Promise<Value?>()
    self.whenFulfilled { first.fulfil($0) }
    let timer = Task {
      if (try? await clock.sleep(until: deadline)) != nil { first.fulfil(nil) }
    }
    defer { timer.cancel() }
    return await first.value
  }
}
