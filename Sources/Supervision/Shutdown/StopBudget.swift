internal import ProcCtl

/// The longest a stop can take, part by part, if everything uses all of its time. A pure function of
/// the configuration: what the master tells systemd and what `procctl check` prints are the same numbers.
public struct StopBudget: Sendable, Equatable {
  /// What one worker can take. All workers are ended at the same time.
  public struct Worker: Sendable, Equatable {
    /// The worker's name.
    public var name: String
    /// Its steps in order, the last of them KILL, with the longest time the kernel then gets.
    public var steps: [Step]
    /// For its port to become free, and for who still has it to be ended; zero without one.
    public var port: Duration

    /// All steps, and the port.
    public var total: Duration { self.steps.reduce(self.port) { $0 + $1.wait } }
  }

  /// One step of ending a worker, with its longest time.
  public struct Step: Sendable, Equatable {
    /// `POST /shutdown`, or a signal's name.
    public var name: String
    /// The longest it is waited for.
    public var wait: Duration
  }

  /// One cleanup, with its longest time.
  public struct Cleanup: Sendable, Equatable {
    /// The cleanup's name.
    public var name: String
    /// Its timeout, and the time to end it and what it leaves.
    public var longest: Duration
  }

  /// In the order of the configuration.
  public var workers: [Worker]
  /// For what belongs to no worker, or could not be ended with its own, and for workers' directories.
  public var sweep: Duration
  /// For all cleanups, which run one after the other.
  public var cleanups: Duration

  /// The one everybody else may have to wait for; the first of them if there are several.
  public var slowest: Worker? {
    self.workers.reduce(nil as Worker?) { found, next in
      found.map { $0.total >= next.total ? $0 : next } ?? next
    }
  }

  /// All of it: the slowest worker, the sweep and the cleanups.
  public var total: Duration { (self.slowest?.total ?? .zero) + self.sweep + self.cleanups }

  /// TERM, its grace, KILL.
  static let longestSweep = EscalationRun<StopRequest>.leftoverGrace + Escalation.longestKillWait

  init(workers: [WorkerDefinition], timeouts: ShutdownTimeouts, cleanups: Duration) {
    self.workers = workers.map { Worker($0, timeouts: timeouts) }
    self.sweep = StopBudget.longestSweep
    if workers.contains(where: { $0.hasRuntimeDirectory || $0.hasTemporaryDirectory }) {
      self.sweep += WorkerDirectories.longest
    }
    self.cleanups = cleanups
  }

  /// Adds up what the configuration allows; nothing is looked up.
  public init(_ configuration: MasterConfiguration) {
    self.init(
      workers: configuration.workers, timeouts: configuration.shutdown,
      cleanups: configuration.cleanups.reduce(.zero) { $0 + $1.longest })
  }
}

extension StopBudget.Worker {
  init(_ definition: WorkerDefinition, timeouts: ShutdownTimeouts) {
    self.name = definition.name
    self.steps = definition.stop.map { step in
      switch step {
      case .request(let method, let path, _, let wait):
        StopBudget.Step(name: "\(method) \(path)", wait: wait)
      case .signal(.kill, let wait):
        // As long as they go on dying, it is waited for.
        StopBudget.Step(name: "KILL", wait: (wait ?? Escalation.killWait) * Escalation.killPatience)
      case .signal(let signal, let wait):
        StopBudget.Step(name: String("\(signal)".dropFirst(3)), wait: wait ?? .zero)
      }
    }
    self.port = definition.port == nil ? .zero : timeouts.ports + StopBudget.longestSweep
  }
}

extension CleanupCommand {
  /// Its own time, and that to end it or what it leaves behind.
  public var longest: Duration { self.timeout + .seconds(1) + Escalation.longestKillWait }
}
