import Glibc
import ProcCtl

/// A program that starts processes with three libraries at once, while ProcCtl
/// adopts and reaps orphans in it.
///
/// It exits 0 if every library got every status right and no orphan is left.
/// With `--exclusive` ProcCtl is alone and reaps all it sees. With `--steal`
/// somebody waits for any child meanwhile, as no library should, and it exits 0
/// only if that was noticed: else the checks see nothing.
@main enum HostProgram {
  enum Mode: String {
    case cooperative = ""
    case exclusive = "--exclusive"
    case steal = "--steal"
  }

  static let childrenPerLibrary = 32
  static let grace = Duration.seconds(1)
  /// A zombie can just have missed one look, and is reaped by the look that finds it older than the grace.
  /// The rest is for a machine that stands still for a while.
  static let reapingLimit = Self.grace * 2 + .seconds(30)
  static let timeLimit = Duration.seconds(60)
  /// With a status stolen somebody waits in vain for it, so all of this passes.
  static let timeLimitBesideThief = Duration.seconds(20)

  @MainActor static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.count < 2, let mode = Mode(rawValue: arguments.first ?? "") else {
      print("usage: host-program [--exclusive | --steal]")
      exit(64)
    }
    do {
      exit(try await self.run(mode) ? 0 : 1)
    } catch {
      print("host-program: \(error)")
      exit(1)
    }
  }

  /// Whether it went as it should.
  @MainActor private static func run(_ mode: Mode) async throws -> Bool {
    let policy = mode == .exclusive ? ReapingPolicy.exclusive : .cooperative(grace: self.grace)
    let children = try ChildProcesses(reaping: policy)
    if mode == .steal { try await Thief.start(beside: children) }
    let plans = ChildPlan.all(perLibrary: self.childrenPerLibrary).filter {
      mode != .exclusive || $0.library == .procctl
    }
    let answers = try Answers()
    var observation = try Observation(plans: plans, answers: answers, linger: self.grace * 3)
    let deadline = ContinuousClock.now.advanced(
      by: mode == .steal ? self.timeLimitBesideThief : self.timeLimit)
    let others = try ChildProcesses()
    for (index, child) in observation.children.enumerated() {
      let instance = child.plan.fromOtherInstance ? others : children
      self.start(child.plan, child.streams, in: instance) { answers.add($0, of: index) }
    }
    try observation.run(until: deadline)

    let report = Report(
      observation.children, left: ProcessTable.ownChildren(), reapingLimit: self.reapingLimit)
    print(report)
    guard mode == .steal else { return report.isClean }
    print(report.wrongAnswers.isEmpty ? "the theft went unnoticed" : "the theft was noticed")
    return !report.wrongAnswers.isEmpty
  }

  @MainActor private static func start(
    _ plan: ChildPlan, _ streams: ChildStreams, in children: ChildProcesses,
    answer: @escaping @Sendable (Answer) -> Void
  ) {
    switch plan.library {
    case .foundation where plan.fromMainThread:
      FoundationChild.start(plan, streams, answer: answer)
    case .foundation:
      Task.detached { FoundationChild.start(plan, streams, answer: answer) }
    case .subprocess:
      Task.detached { answer(await SubprocessChild.run(plan, streams)) }
    case .procctl:
      Task.detached { answer(await ProcCtlChild.run(plan, streams, in: children)) }
    }
  }
}
