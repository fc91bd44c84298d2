package import ProcCtl

/// What happens to a worker, and what its life wants done.
extension WorkerLife {
  package enum Event: Sendable, Equatable {
    /// Start it, unless it runs.
    case start
    /// The port check before a start: nil if it is free, else who has it.
    case portChecked(holder: String?)
    case spawned
    /// A guard runs that is about to start the program; `.programStarted` or `.spawnFailed` follows.
    case guardSpawned
    case programStarted
    case spawnFailed(String)
    case becameReady
    /// What it still lacks to be ready, in words; said before its time to become ready is over.
    case notReadyYet(String?)
    case leaderEnded(TerminationStatus)
    /// One of its processes ended or was found, and some are left.
    case membersChanged
    /// None of its processes is left.
    case emptied
    /// The port check after the end: nil if it is free, else who has it.
    case portVerified(holder: String?)
    /// It agreed to stop, and said this of its clients, if anything.
    case requestAnswered(ReportedClients?)
    case requestFailed(String)
    /// So many connections are established on its port; nil if nobody can say.
    case clientsSeen(Int?)
    /// What came of `.disconnectClients`.
    case clientsDisconnected(ended: Int, left: Int, isPossible: Bool)
    /// The instant of the last `.wake` has come.
    case timeReached
    /// Commanded: end it and leave it ended.
    case stop
    /// Commanded: end it and start it again.
    case restart
    /// Commanded while stopping: go on to the next harder step.
    case hurry
    /// Commanded: KILL at once.
    case kill
  }

  package enum Effect: Sendable, Equatable {
    /// Find out who has the port; answer with `.portChecked`.
    case checkPort
    /// Answer with `.spawned`, `.guardSpawned` or `.spawnFailed`; the latter may also follow, once nobody is left.
    case spawn
    /// Start watching for readiness; answer with `.becameReady`.
    case awaitReadiness
    case endReadiness
    /// Ask in words; answer with `.requestAnswered` or `.requestFailed`.
    case request(StopRequest)
    case cancelRequest
    /// Signal every living process of the set, found afresh.
    case signal(Signal)
    /// Look whether the set is empty; answer with `.emptied` or `.membersChanged`.
    case look
    /// Reap the leader and give up the container: nobody is left in it.
    case release
    /// Find out whether the port is free; answer with `.portVerified`.
    case verifyPort
    /// Look then how many clients it has, or sooner, and answer with `.clientsSeen`; replaces the last
    /// such look. Nil: no look.
    case lookAtClients(MonotonicInstant?)
    case clientsChanged(Int)
    /// End the connections on its port; answer with `.clientsDisconnected`.
    case disconnectClients
    /// So many clients were disconnected by force, by this or by a signal that is about to be sent.
    case clientsForced(Int)
    /// Send `.timeReached` then; replaces the last wake. Nil: no wake.
    case wake(MonotonicInstant?)
    /// The state changed.
    case entered(WorkerState, String)
  }
}

extension WorkerLife {
  mutating func note(_ missing: String?) -> [Effect] {
    self.missing = missing
    return []
  }

  /// Why its start is given up when its time is over.
  var lateness: String {
    "not ready within \(self.definition.startTimeout.text)" + (self.missing.map { ": \($0)" } ?? "")
  }
}
