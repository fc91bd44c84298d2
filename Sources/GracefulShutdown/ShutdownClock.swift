/// Time since the coordinator was made, on whichever clock its owner chose.
struct ShutdownClock: Sendable {
  private let elapsed: @Sendable () -> Duration
  private let sleepUntil: @Sendable (Duration) async throws -> Void

  init<C: Clock<Duration>>(_ clock: C) {
    let origin = clock.now
    self.elapsed = { origin.duration(to: clock.now) }
    self.sleepUntil = { try await clock.sleep(until: origin.advanced(by: $0), tolerance: nil) }
  }

  var now: Duration { self.elapsed() }

  func sleep(until deadline: Duration) async throws {
    try await self.sleepUntil(deadline)
  }
}
