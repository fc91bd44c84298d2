public import ProcCtl

/// One step of ending a worker, and how long to wait for it before the next. Cases may be added.
public enum StopStep: Sendable, Equatable {
  /// An HTTP request to the worker's port on the loopback address, or to a Unix socket: a path, or `@` and
  /// a name in the abstract namespace (unix(7)).
  case request(method: String, path: String, socket: PlaceholderText? = nil, wait: Duration)
  /// A signal to all of the worker's processes. Without a wait, nothing follows until the set is empty.
  case signal(Signal, wait: Duration?)

  /// How long the step may take; zero if it waits for nothing or for ever.
  public var wait: Duration {
    switch self {
    case .request(_, _, _, let wait): wait
    case .signal(_, let wait): wait ?? .zero
    }
  }

  /// Whether it is the last resort, after which there is nothing to try.
  public var isKill: Bool {
    if case .signal(.kill, _) = self { true } else { false }
  }

  /// The same step with another wait, if it has one.
  func waiting(_ wait: Duration) -> StopStep {
    switch self {
    case .request(let method, let path, let socket, _):
      .request(method: method, path: path, socket: socket, wait: wait)
    case .signal(let signal, let old): .signal(signal, wait: old == nil ? nil : wait)
    }
  }
}

extension [StopStep] {
  /// The waits of all steps before KILL: how long a worker has from being asked to being killed.
  public var timeBeforeKill: Duration {
    self.prefix { !$0.isKill }.reduce(.zero) { $0 + $1.wait }
  }

  /// The same steps with the waits before KILL shortened in proportion, so that they fit the time.
  func fitting(_ time: Duration) -> [StopStep] {
    let total = self.timeBeforeKill
    guard total > time else { return self }
    let share = time / total
    return self.map { $0.isKill ? $0 : $0.waiting($0.wait * share) }
  }
}
