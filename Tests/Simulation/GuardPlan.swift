internal import ProcCtl
internal import SeededRandom

/// What the guard of one start does and what befalls it, drawn from the seed when it is made.
struct GuardPlan {
  enum Kind {
    /// What loses its parent below it comes to it; when it is gone, to the master.
    case subreaper
    /// The first process of a pid namespace: the kernel ends everybody with it.
    case pidNamespace
  }

  enum Moment {
    case afterStart(Duration)
    case afterCommand(Duration)
  }

  let kind: Kind
  var startsAfter = Duration.milliseconds(2)
  var cannotStart = false
  /// Killed before it has started the program, it starts it with its last breath.
  var startsWhileDying = false
  /// From the program's end until it tells.
  var tellsAfter = Duration.milliseconds(1)
  /// From the moment nobody is left until it ends.
  var endsAfter = Duration.milliseconds(1)
  /// Somebody kills it then.
  var isShot: Moment?
  /// Somebody stops it then (SIGSTOP): it starts, reaps and tells nothing any more.
  var isStopped: Moment?

  init(_ kind: Kind, using random: inout SeededRandom) {
    self.kind = kind
    self.startsAfter = random.milliseconds(random.chance(20) ? 0...300 : 0...5)
    self.cannotStart = random.chance(5)
    self.startsWhileDying = random.chance(20)
    self.tellsAfter = random.milliseconds(random.chance(20) ? 0...300 : 0...3)
    self.endsAfter = random.milliseconds(0...3)
    if random.chance(15) { self.isShot = .random(using: &random) }
    if random.chance(10) { self.isStopped = .random(using: &random) }
  }
}

extension GuardPlan.Moment {
  fileprivate static func random(using random: inout SeededRandom) -> GuardPlan.Moment {
    if random.chance(50) { return .afterCommand(random.milliseconds(0...10)) }
    return .afterStart(random.milliseconds(random.chance(30) ? 0...10 : 0...20_000))
  }
}
