internal import ProcCtl

/// How a well-known program is ended by signals in the order its own documentation has, for
/// `preset = "NAME"`. What the worker's table says itself goes before.
///
/// A preset asks in no words: its first signal is the request, so obeying that is a clean stop.
/// Whatever follows is force, and counts as such in the exit status.
public struct WorkerPreset: Sendable, Equatable {
  /// How long a step may take, as a part of what the configuration leaves for the whole stop.
  enum Share: Sendable, Equatable {
    /// What a worker has to end its requests, `shutdown.graceful`: for a signal after which the
    /// program may wait for its clients for ever.
    case graceful
    /// Three quarters: for a signal after which the program ends by itself in its own time.
    case most
    /// What is left.
    case rest
  }

  struct Step: Sendable, Equatable {
    var signal: Signal
    var share: Share
  }

  /// What a configuration calls it.
  public let name: String
  let steps: [Step]

  private init(_ name: String, _ steps: (Signal, Share)...) {
    self.name = name
    self.steps = steps.map { Step(signal: $0, share: $1) }
  }

  /// Finds a preset by its name; nil if there is none of that name.
  public init?(name: String) {
    guard let known = WorkerPreset.all.first(where: { $0.name == name }) else { return nil }
    self = known
  }

  /// All there are, by name.
  public static let all = [
    // TERM is graceful: workers finish their requests, for --graceful-timeout at most (30 s by itself).
    // QUIT and INT are the quick shutdown (gunicorn's "Signal Handling").
    WorkerPreset("gunicorn", (.terminate, .most), (.quit, .rest)),
    // Serves with uvicorn, which has the signals.
    WorkerPreset("mcp-proxy", (.terminate, .graceful), (.interrupt, .rest)),
    // QUIT is graceful and waits for connections, for ever without worker_shutdown_timeout; TERM is the
    // fast shutdown (nginx's "Controlling nginx").
    WorkerPreset("nginx", (.quit, .graceful), (.terminate, .rest)),
    // TERM, the smart shutdown, waits for every client. INT is the fast one: clients are disconnected,
    // transactions rolled back. QUIT, the immediate one, needs a recovery at the next start, as KILL
    // does, but leaves no shared memory (PostgreSQL's "Shutting Down the Server").
    WorkerPreset("postgres", (.interrupt, .most), (.quit, .rest)),
    // TERM saves what the configuration wants saved. INT after it gives up the save that is under way
    // (Redis' "Signal Handling").
    WorkerPreset("redis", (.terminate, .most), (.interrupt, .rest)),
    // TERM waits for requests, and for streams that the application does not end by itself, for ever
    // without --timeout-graceful-shutdown. INT after it is the force quit.
    WorkerPreset("uvicorn", (.terminate, .graceful), (.interrupt, .rest)),
  ]

  /// The steps, with waits that add up to what a worker has.
  func stop(within timeouts: ShutdownTimeouts) -> [StopStep] {
    // There is always something left for the last signal before KILL.
    let most = timeouts.workers - timeouts.workers / 4
    var left = timeouts.workers
    var stop: [StopStep] = []
    for step in self.steps {
      let wait: Duration =
        switch step.share {
        case .graceful: min(timeouts.graceful, most)
        case .most: most
        case .rest: left
        }
      stop.append(.signal(step.signal, wait: min(wait, left)))
      left -= min(wait, left)
    }
    return stop + [.signal(.kill, wait: nil)]
  }
}
