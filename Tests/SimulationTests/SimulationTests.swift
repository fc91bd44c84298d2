import ProcCtl
import Supervision
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct SimulationTests {
  /// One seed alone: `PROCCTL_SEED=123 swift test --filter SimulationTests`.
  private var seeds: [UInt64] {
    if let text = getenv("PROCCTL_SEED"), let seed = UInt64(String(cString: text)) { return [seed] }
    let count = getenv("PROCCTL_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 300
    return Array(1...max(count, 1))
  }

  @Test func noRuleIsBrokenUnderAnySchedule() {
    for seed in self.seeds {
      let run = SimulatedRun(seed: seed)
      let violations = run.violations()
      #expect(violations.isEmpty, "PROCCTL_SEED=\(seed): \(violations.prefix(3).joined(separator: "; "))")
      if !violations.isEmpty { break }
    }
  }

  @Test func theSameSeedIsTheSameRun() {
    let first = SimulatedRun(seed: 77)
    let second = SimulatedRun(seed: 77)
    #expect(first.violations() == second.violations())
    #expect(first.steps == second.steps)
    #expect(first.outcomes == second.outcomes)
  }

  @Test func manyWorkersAtOnce() {
    let run = SimulatedRun(seed: 5, workers: 200)
    #expect(run.violations().isEmpty)
  }
}
