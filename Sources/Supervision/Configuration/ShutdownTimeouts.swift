internal import ProcCtl

/// How long each phase of the master's shutdown may take at most. Every phase ends as soon as its
/// condition holds; a phase of zero is over at once.
public struct ShutdownTimeouts: Sendable, Equatable {
  /// From asking the workers (`POST /shutdown`) until they are sent signals.
  public var graceful: Duration
  /// For the clients to leave before they are disconnected.
  public var clients: Duration
  /// From asking a worker until it is killed, everything in between included.
  public var workers: Duration
  /// For the verification that no process, zombie or bound port is left.
  public var ports: Duration
  /// For each cleanup that has no timeout of its own.
  public var cleanup: Duration

  /// Creates timeouts; each has its default.
  public init(
    graceful: Duration = .seconds(10), clients: Duration = .seconds(30), workers: Duration = .seconds(30),
    ports: Duration = .seconds(15), cleanup: Duration = .seconds(10)
  ) {
    self.graceful = graceful
    self.clients = clients
    self.workers = workers
    self.ports = ports
    self.cleanup = cleanup
  }

  /// The steps that end a worker which has none of its own: `POST /shutdown` if it takes requests,
  /// then TERM, INT and KILL.
  ///
  /// The request waits for `graceful`. What `workers` leaves after that is shared three to one
  /// between TERM and INT: 10, 15 and 5 seconds by default. A worker that takes no requests gets the
  /// same TERM and INT, so that one slow kind of worker does not depend on the other's.
  public func defaultStop(withRequest: Bool) -> [StopStep] {
    let rest = max(.zero, self.workers - self.graceful)
    var steps: [StopStep] = []
    if withRequest {
      steps.append(.request(method: "POST", path: "/shutdown", wait: min(self.graceful, self.workers)))
    }
    let interrupt = rest / 4
    steps.append(.signal(.terminate, wait: rest - interrupt))
    steps.append(.signal(.interrupt, wait: interrupt))
    steps.append(.signal(.kill, wait: nil))
    return steps
  }
}

/// Where a timeout comes from; what is closer to the running process wins.
enum TimeoutSource: Int, Comparable {
  case builtIn
  case file
  case environment

  static func < (left: TimeoutSource, right: TimeoutSource) -> Bool { left.rawValue < right.rawValue }
}

extension ShutdownTimeouts {
  /// Makes `graceful` fit into `workers`, of which it is the first part, by moving the one that was asked
  /// for less explicitly: built-in defaults follow the file, and the file follows the environment.
  ///
  /// A `workers` alone shortens `graceful` to at most a third of it. A `graceful` alone lengthens
  /// `workers` to leave the signals the 20 seconds they have by default.
  ///
  /// - Returns: false if both were asked for equally and contradict each other; nothing is changed then.
  mutating func reconcile(gracefulFrom: TimeoutSource, workersFrom: TimeoutSource) -> Bool {
    if gracefulFrom == workersFrom { return self.graceful <= self.workers }
    if gracefulFrom < workersFrom {
      if gracefulFrom == .builtIn || self.graceful > self.workers {
        self.graceful = min(self.graceful, self.workers / 3)
      }
    } else if workersFrom == .builtIn || self.graceful > self.workers {
      self.workers = max(self.workers, self.graceful + .seconds(20))
    }
    return true
  }
}
