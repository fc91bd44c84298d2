import Simulation
import Testing

/// A few seeds in a debug build; the program `simulate` runs thousands, and 10,000 workers.
@Suite struct SimulationTests {
  @Test(arguments: [1, 51, 101, 151] as [UInt64])
  func noRuleIsBrokenUnderAnySchedule(first: UInt64) {
    for seed in first..<first + 50 {
      let violations = SimulatedRun(seed: seed).violations()
      #expect(violations.isEmpty, "simulate --seed \(seed): \(violations.first.map { "\($0)" } ?? "")")
      if !violations.isEmpty { break }
    }
  }

  @Test func theSameSeedIsTheSameRun() {
    let runs = (0..<2).map { _ in SimulatedRun(seed: 77, isTraced: true) }
    #expect(runs[0].violations() == runs[1].violations())
    #expect(runs[0].steps == runs[1].steps)
    #expect(runs[0].digest == runs[1].digest)
    #expect(runs[0].trace.lines(about: nil) == runs[1].trace.lines(about: nil))
    let other = SimulatedRun(seed: 78)
    _ = other.violations()
    #expect(other.digest != runs[0].digest)
  }

  @Test func manyWorkersAtOnce() {
    #expect(SimulatedRun(seed: 5, workers: 300).violations().isEmpty)
  }
}
