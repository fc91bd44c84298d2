internal import ProcCtl
internal import Supervision

/// A mistake put into the engine from outside, through the protocols behind which
/// its policies and the kernel stand, to see whether the rules notice it.
package enum PlantedBug: String, Sendable, CaseIterable {
  /// A leader's exit is taken for the end of its worker.
  case leaderExitEndsStop = "leader-exit-ends-stop"
  /// A worker that has stopped as commanded is started again.
  case restartsAfterStop = "restarts-after-stop"
  /// A leader is reaped as soon as it has ended, while its number is still in use.
  case reapsLeaderFirst = "reaps-leader-first"
  /// Signals go to whoever was there a while ago.
  case actsOnOldLook = "acts-on-old-look"
  case ignoresDeadlines = "ignores-deadlines"
  case reportsTwice = "reports-twice"
  case neverKills = "never-kills"
  case killsAtOnce = "kills-at-once"
  case forgetsContinue = "forgets-continue"
  case takesPortForFree = "takes-port-for-free"
  case skipsSweep = "skips-sweep"
  /// What a guard leaves behind when it dies is not looked for.
  case forgetsGuardsOrphans = "forgets-guards-orphans"
  /// What the command of a guard leaves behind below it is not looked for.
  case overlooksLeftovers = "overlooks-leftovers"
  /// The end of a command is not learned from its guard.
  case ignoresGuardsWord = "ignores-guards-word"

  /// Clients that stay are left alone.
  case neverDisconnects = "never-disconnects"
  /// Clients are disconnected as soon as they are seen.
  case disconnectsAtOnce = "disconnects-at-once"
  /// That clients were disconnected by force is not reported.
  case forgetsForcedClients = "forgets-forced-clients"

  /// The sockets there are after a worker's end are those of long before.
  case keepsOldSockets = "keeps-old-sockets"

  /// The rules one of which it breaks first.
  package var breaks: Set<Rule> {
    switch self {
    case .leaderExitEndsStop: [.stoppedMeansEmpty, .startsAlone]
    case .restartsAfterStop: [.stopIsKept, .noStartAfterStop]
    case .reapsLeaderFirst: [.noSignalToInnocents, .noSignalAfterReap, .startsAlone]
    case .actsOnOldLook: [.noSignalAfterReap, .startsAlone, .stoppedMeansEmpty]
    case .ignoresDeadlines: [.deadlinesAreKept]
    case .reportsTwice: [.oneReport]
    case .neverKills: [.failedMeansUnkillable]
    case .killsAtOnce: [.gracesAreKept]
    case .forgetsContinue: [.signalsAreSeen]
    case .takesPortForFree: [.startsAlone, .stoppedMeansEmpty]
    case .skipsSweep: [.reportIsTrue]
    case .forgetsGuardsOrphans: [.stoppedMeansEmpty, .startsAlone]
    // Clients of whom it does not see are nobody's.
    case .overlooksLeftovers:
      [.deadlinesAreKept, .noSignalToInnocents, .reportIsTrue, .clientsAreDisconnected]
    case .ignoresGuardsWord: [.endsAreNoticed]
    case .neverDisconnects: [.clientsAreDisconnected]
    case .disconnectsAtOnce: [.clientsHaveTheirTime]
    case .forgetsForcedClients: [.reportIsTrue]
    case .keepsOldSockets: [.ownIsNotLeft]
    }
  }

  func policy(over life: WorkerLife) -> any WorkerPolicy { BrokenWorkerPolicy(life: life, bug: self) }

  func order(over order: ShutdownOrder) -> any ShutdownPolicy { BrokenShutdownOrder(order: order, bug: self) }

  func kernel(over kernel: SimulatedKernel) -> any Kernel { BrokenKernel(kernel: kernel, bug: self) }
}
