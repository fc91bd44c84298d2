/// How to end a set of processes: signals in order, each with the time it is
/// given before the next. The steps are data; ``EscalationRun`` walks them.
public struct Escalation: Sendable, Equatable {
  /// One signal to every process of the set, and how long to wait for the set to be empty.
  public struct Step: Sendable, Equatable {
    /// What is sent.
    public var signal: Signal
    /// How long the set has to become empty before the next step.
    public var wait: Duration

    /// Creates a step.
    public init(_ signal: Signal, wait: Duration) {
      self.signal = signal
      self.wait = wait
    }
  }

  /// The steps in order.
  public var steps: [Step]

  /// - Parameter steps: In order; KILL is appended unless it is the last already,
  ///   because a stop that cannot end is no stop.
  public init(steps: [Step]) {
    self.steps = steps
    if steps.last?.signal != .kill {
      self.steps.append(Step(.kill, wait: Escalation.killWait))
    }
  }

  /// How long the kernel gets to end what was sent KILL, before the survivors
  /// are called survivors. What runs dies within milliseconds; what is stuck in
  /// an uninterruptible call may never. While processes of the set go on ending,
  /// the time begins anew, up to ``longestKillWait``.
  public static let killWait = Duration.seconds(2)

  /// The longest a set that was sent KILL is waited for, however many of it have ended meanwhile.
  public static let longestKillWait = Escalation.killWait * Escalation.killPatience

  package static let killPatience = 4

  /// A signal, a grace, KILL: the whole of most stops.
  public static func standard(
    signal: Signal = .terminate, grace: Duration = .seconds(5)
  ) -> Escalation {
    signal == .kill
      ? Escalation(steps: [])
      : Escalation(steps: [Step(signal, wait: grace)])
  }
}
