import Simulation
import Testing

/// The rules themselves: each mistake in the engine breaks the rule it should,
/// under one of the schedules that a sound engine keeps all rules under.
@Suite struct PlantedBugTests {
  @Test(arguments: PlantedBug.allCases)
  func breaksItsRule(bug: PlantedBug) throws {
    for seed in UInt64(1)...200 {
      guard let violation = SimulatedRun(seed: seed, bug: bug).violations().first else { continue }
      #expect(
        bug.breaks.contains(violation.rule), "simulate --seed \(seed) --plant \(bug.rawValue): \(violation)")
      // The negative control: it was the bug, not the schedule.
      #expect(SimulatedRun(seed: seed).violations().isEmpty)
      return
    }
    Issue.record("\(bug.rawValue) goes unnoticed")
  }

  @Test func theTraceTellsWhatBroke() throws {
    let run = SimulatedRun(seed: 1, bug: .reportsTwice, isTraced: true)
    let violation = try #require(run.violations().first)
    #expect(violation.rule == .oneReport)
    let lines = run.trace.lines(about: [])
    #expect(lines.contains { $0.contains("master: BROKEN RULE") })
    #expect(lines.filter { $0.contains("master: report:") }.count == 2)
  }
}
