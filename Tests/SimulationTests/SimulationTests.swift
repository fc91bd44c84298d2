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

  /// Under these /proc cannot be read for a while, and rules were broken: a stopped process was signalled
  /// and not continued, a survivor was taken for a stranger, a number that was given back was signalled.
  @Test(arguments: [140, 545, 1146, 1300, 1628] as [UInt64])
  func nobodyIsSeenForAWhile(seed: UInt64) {
    #expect(SimulatedRun(seed: seed).violations().isEmpty)
    let run = SimulatedRun(seed: seed, isTraced: true)
    _ = run.violations()
    #expect(run.trace.lines(about: nil).contains { $0.contains("nobody can be seen") })
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
