/// How long to wait before a worker is started again: nothing the first time,
/// then twice as long each time, capped, and from the start again after it has
/// been ready for a while.
///
/// The jitter keeps workers that failed together from coming back together; it
/// is drawn from a seed, so that a simulated run can be replayed.
struct RestartDelay: Sendable, Equatable {
  /// How long a worker must have been ready for its failures to be forgotten.
  static let stablePeriod = Duration.seconds(10)

  let limits: WorkerDefinition.Backoff
  private(set) var failures = 0
  private var random: UInt64

  init(limits: WorkerDefinition.Backoff, seed: UInt64) {
    self.limits = limits
    self.random = seed
  }

  /// The delay before the next start, after one more failure.
  mutating func afterFailure() -> Duration {
    defer { self.failures += 1 }
    guard self.failures > 0 else { return .zero }
    var delay = min(self.limits.first, self.limits.max)
    for _ in 1..<max(self.failures, 1) where delay < self.limits.max {
      delay = min(delay * 2, self.limits.max)
    }
    // Up to a tenth less.
    return delay - delay / 1000 * Int(self.nextRandom() % 100)
  }

  mutating func forget() {
    self.failures = 0
  }

  /// SplitMix64.
  private mutating func nextRandom() -> UInt64 {
    self.random &+= 0x9e37_79b9_7f4a_7c15
    var mixed = self.random
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
