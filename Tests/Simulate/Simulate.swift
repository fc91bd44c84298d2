internal import ArgumentParser
internal import ProcCtl
internal import Simulation

/// Runs the whole engine against simulated kernels, a run for each seed. Each broken
/// rule is printed with the command that repeats that run and tells what led to it.
@main
struct Simulate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Run the engine against simulated kernels made from seeds.")

  @Option(help: "Run this seed alone and print what happened.")
  var seed: UInt64?

  @Option(help: "How many seeds to run.")
  var seeds: UInt64 = 3000

  @Option(help: "The first of them; with --for, a random one is the default.")
  var from: UInt64?

  @Option(name: .customLong("for"), help: "Run new seeds for this long, as 250ms, 30s, 10m.")
  var duration: String?

  @Option(help: "How many workers each run has; the seed decides by default.")
  var workers: Int?

  @Option(help: "Fail if the kernel was asked more than this often for each step.")
  var maxReads: Int?

  @Option(help: "How many seeds to run at the same time.")
  var jobs = 2

  @Option(help: "Plant a bug: \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", ")).")
  var plant: PlantedBug?

  @Flag(help: "Print what happened to all workers, not only to those a broken rule is about.")
  var all = false

  func validate() throws {
    guard self.seeds > 0, self.jobs > 0 else { throw ValidationError("--seeds and --jobs are at least 1") }
    if let workers = self.workers, !(1...60_000).contains(workers) {
      throw ValidationError("a run has 1 to 60000 workers")
    }
  }

  func run() async throws {
    if let seed = self.seed { return try self.replay(seed) }
    let limit = try self.duration.map { text in
      do throws(DurationTextError) {
        return MonotonicInstant.now.advanced(by: try Duration(text: text))
      } catch {
        throw ValidationError("--for: \(error)")
      }
    }
    let first = self.from ?? (limit == nil ? 1 : UInt64.random(in: 1...(1 << 48)))
    let search = SeedSearch(
      first: first, count: limit == nil ? self.seeds : nil, until: limit, workers: self.workers,
      bug: self.plant)
    let began = MonotonicInstant.now
    let found = await search.run(jobs: self.jobs)
    for failure in found.failures.sorted(by: { $0.seed < $1.seed }).prefix(10) {
      for violation in failure.violations.prefix(3) {
        print("seed \(failure.seed): \(violation.worker.map { "w\($0)" } ?? "the master") \(violation)")
      }
      print("  replay: \(self.command(seed: failure.seed, workers: failure.workers))")
    }
    print(
      "\(found.runs) runs from seed \(first), \(found.steps) steps, \(found.reads) reads, \(found.failures.count) with broken rules,"
        + " in \(began.duration(to: .now).text); digest \(String(found.digest, radix: 16))")
    if let limit = self.maxReads, found.reads > limit * found.steps {
      print("the kernel was asked \(found.reads / found.steps) times for each step; \(limit) are allowed")
      throw ExitCode.failure
    }
    if !found.failures.isEmpty { throw ExitCode.failure }
  }

  private func command(seed: UInt64, workers: Int?) -> String {
    var command = "\(CommandLine.arguments[0]) --seed \(seed)"
    if let workers { command += " --workers \(workers)" }
    if let plant = self.plant { command += " --plant \(plant.rawValue)" }
    return command
  }

  /// Prints what led to the broken rule, of the workers it is about.
  private func replay(_ seed: UInt64) throws {
    let run = SimulatedRun(seed: seed, workers: self.workers, bug: self.plant, isTraced: true)
    let violations = run.violations()
    let concerned = Set(violations.compactMap(\.worker))
    for line in run.trace.lines(about: self.all || violations.isEmpty ? nil : concerned) { print(line) }
    for violation in violations {
      print("broken: \(violation.worker.map { "w\($0)" } ?? "the master") \(violation)")
    }
    print("seed \(seed): \(run.steps) steps, \(violations.count) broken rules")
    if !violations.isEmpty { throw ExitCode.failure }
  }
}

extension PlantedBug: ExpressibleByArgument {}
