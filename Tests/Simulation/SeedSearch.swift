package import ProcCtl
internal import Synchronization

/// Runs seed after seed, several at the same time, until there were enough or time is over.
package struct SeedSearch: Sendable {
  package struct Failure: Sendable {
    package let seed: UInt64
    package let workers: Int?
    package let violations: [Violation]
  }

  package struct Found: Sendable {
    package var runs = 0
    package var steps = 0
    /// How much the kernels were asked.
    package var reads = 0
    /// Of all runs together: the same for the same seeds, in whatever process.
    package var digest: UInt64 = 0
    package var failures: [Failure] = []
  }

  /// After so many failures there is no need of more.
  private static let enough = 10

  private let first: UInt64
  private let count: UInt64?
  private let until: MonotonicInstant?
  private let workers: Int?
  private let bug: PlantedBug?

  /// - Parameters:
  ///   - count: How many seeds; nil for as many as fit the time.
  ///   - until: When to begin no other; nil for never.
  ///   - workers: How many workers each run has; nil lets the seed decide.
  package init(
    first: UInt64, count: UInt64?, until: MonotonicInstant?, workers: Int? = nil,
    bug: PlantedBug? = nil
  ) {
    self.first = first
    self.count = count
    self.until = until
    self.workers = workers
    self.bug = bug
  }

  /// - Parameter jobs: How many runs at the same time, each on a thread of its own.
  package func run(jobs: Int) async -> Found {
    let next = Counter()
    return await withTaskGroup(of: Found.self) { group in
      for _ in 0..<jobs {
        group.addTask { self.work(through: next) }
      }
      var all = Found()
      for await found in group {
        all.runs += found.runs
        all.steps += found.steps
        all.reads += found.reads
        all.digest ^= found.digest
        all.failures += found.failures
      }
      return all
    }
  }

  private func work(through next: Counter) -> Found {
    var found = Found()
    while found.failures.count < Self.enough {
      let position = next.take()
      if let count = self.count, position >= count { break }
      if let until = self.until, MonotonicInstant.now >= until { break }
      let seed = self.first &+ position
      let run = SimulatedRun(seed: seed, workers: self.workers, bug: self.bug)
      let violations = run.violations()
      found.runs += 1
      found.steps += run.steps
      found.reads += run.reads
      found.digest ^= run.digest &* (seed | 1)
      if !violations.isEmpty {
        found.failures.append(Failure(seed: seed, workers: self.workers, violations: violations))
      }
    }
    return found
  }
}

/// Hands out the seeds, each once.
private final class Counter: Sendable {
  private let value = Atomic<UInt64>(0)

  func take() -> UInt64 { self.value.add(1, ordering: .relaxed).oldValue }
}
