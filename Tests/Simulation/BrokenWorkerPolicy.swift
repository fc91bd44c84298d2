internal import ProcCtl
internal import Supervision

/// The real policy, with one of its decisions distorted.
struct BrokenWorkerPolicy: WorkerPolicy {
  private var life: WorkerLife
  private let bug: PlantedBug
  private var wasToldToStop = false

  init(life: WorkerLife, bug: PlantedBug) {
    self.life = life
    self.bug = bug
  }

  var state: WorkerState { self.life.state }
  var force: StopForce { self.life.force }
  var lastStatus: TerminationStatus? { self.life.lastStatus }
  var starts: Int { self.life.starts }
  var trouble: String? { self.life.trouble }
  var watchesClients: Bool { self.life.watchesClients }
  var clients: Int { self.life.clients }
  var clientsForced: Int { self.bug == .forgetsForcedClients ? 0 : self.life.clientsForced }

  mutating func handle(_ event: WorkerLife.Event, at now: MonotonicInstant) -> [WorkerLife.Effect] {
    var effects = self.life.handle(self.heard(event), at: now)
    switch self.bug {
    case .leaderExitEndsStop:
      if case .leaderEnded = event { effects += self.life.handle(.emptied, at: now) }
    case .restartsAfterStop:
      if event == .stop { self.wasToldToStop = true }
      if self.wasToldToStop, self.life.state == .stopped {
        self.wasToldToStop = false
        effects += self.life.handle(.start, at: now)
      }
    case .ignoresDeadlines:
      if self.life.state == .stopping {
        effects.removeAll { if case .wake(.some) = $0 { true } else { false } }
      }
    case .neverKills:
      effects.removeAll { $0 == .signal(.kill) }
    case .neverDisconnects:
      effects.removeAll { $0 == .disconnectClients }
    case .disconnectsAtOnce:
      if case .clientsSeen(let count?) = event, count > 0 { effects.append(.disconnectClients) }
    case .killsAtOnce:
      effects = effects.map { $0 == .signal(.terminate) ? .signal(.kill) : $0 }
    default: break
    }
    return effects
  }

  private func heard(_ event: WorkerLife.Event) -> WorkerLife.Event {
    guard self.bug == .takesPortForFree else { return event }
    return switch event {
    case .portChecked: .portChecked(holder: nil)
    case .portVerified: .portVerified(holder: nil)
    default: event
    }
  }
}
