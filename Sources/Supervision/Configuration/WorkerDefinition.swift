public import ProcCtl
public import SystemPackage

/// Everything the configuration says about one worker.
public struct WorkerDefinition: Sendable, Equatable {
  /// Who opens the worker's listening socket.
  ///
  /// - Important: The master of this version opens none yet: a configuration file with ``inherit`` is
  ///   refused, and a worker defined so in code is handed nothing.
  public enum Listen: String, Sendable, Hashable, CaseIterable {
    /// The worker itself.
    case worker
    /// The master, which hands it down (LISTEN_FDS, sd_listen_fds(3), and `{fd}` in the command).
    case inherit
  }

  /// When a worker that ended by itself is started again. Cases may be added.
  public enum Restart: String, Sendable, Hashable, CaseIterable {
    /// However it ended.
    case always
    /// Unless it exited with 0.
    case onFailure = "on-failure"
    /// It stays ended.
    case never
  }

  /// The pause before a restart: `first`, then twice as long each time, `max` at most, less up to a tenth.
  public struct Backoff: Sendable, Equatable {
    /// The first pause. The first failure alone is followed by none.
    public var first: Duration
    /// The longest pause.
    public var max: Duration

    /// Creates a back-off.
    public init(first: Duration = .milliseconds(100), max: Duration = .seconds(30)) {
      self.first = first
      self.max = max
    }
  }

  /// What it is called in commands, logs and reports.
  public var name: String
  /// The program and its arguments, filled in but for `{fd}`: see `arguments(descriptor:)`.
  public var command: [PlaceholderText]
  /// The TCP port it serves, checked before each start and after each end; nil for none.
  public var port: UInt16?
  /// Who opens the socket on ``port``.
  public var listen: Listen
  /// How the master learns that it serves.
  public var ready: Readiness
  /// How the worker is ended, step by step; the last step is always KILL.
  public var stop: [StopStep]
  /// When it is started again after it ended by itself.
  public var restart: Restart
  /// The pause before that.
  public var backoff: Backoff
  /// How long the worker may take to become ready; zero for as long as it likes.
  public var startTimeout: Duration
  /// How a ready worker is asked whether it still serves; nil for not at all.
  public var check: HealthCheck?
  /// Its working directory; nil for the master's, which for `procctl run` is `/`.
  public var directory: FilePath?
  /// Variables on top of the master's environment; see `variables(descriptor:)`.
  public var environment: [String: PlaceholderText]
  /// A name or a number: see `credentials()`.
  public var user: String?
  /// A name or a number.
  public var group: String?
  /// The capabilities the worker has and may ever have, by the names `CapabilitySet` knows; nil
  /// leaves them as they are.
  public var capabilities: [String]?
  /// Whether no exec gives it more rights (PR_SET_NO_NEW_PRIVS, prctl(2)).
  public var noNewPrivileges: Bool
  /// Its resource limits (setrlimit(2)); the others are the master's.
  public var limits: [ChildSetup.Limit]
  /// The mode bits that its new files do not get (umask(2)); nil for the master's.
  public var umask: UInt32?
  /// -20 (favoured) to 19.
  public var nice: Int32?
  /// -1000 (never killed) to 1000 (killed first).
  public var outOfMemoryScore: Int32?
  /// How its processes are kept together.
  public var contain: ContainmentChoice
  /// Whether each start gets a directory of its own, named in RUNTIME_DIRECTORY and removed after its end.
  public var hasRuntimeDirectory = false
  /// The same, named in TMPDIR.
  public var hasTemporaryDirectory = false
  /// Whether System V and POSIX objects of its user are removed after its end.
  public var removesIPC = false

  /// Creates a worker from code. Braces in the command and in the environment stand for themselves.
  ///
  /// - Parameters:
  ///   - ready: nil for the default: `.tcp` if there is a port, else `.none`.
  ///   - stop: nil for the default of `ShutdownTimeouts()`, with a request if `ready` is `.http`.
  ///     KILL is appended if it is not the last step.
  public init(
    name: String, command: [String], port: UInt16? = nil, listen: Listen = .worker,
    ready: Readiness? = nil, stop: [StopStep]? = nil, restart: Restart = .always,
    backoff: Backoff = Backoff(), startTimeout: Duration = .seconds(60), check: HealthCheck? = nil,
    directory: FilePath? = nil, environment: [String: String] = [:], user: String? = nil,
    group: String? = nil, capabilities: [String]? = nil, noNewPrivileges: Bool = false,
    limits: [ChildSetup.Limit] = [], umask: UInt32? = nil, nice: Int32? = nil,
    outOfMemoryScore: Int32? = nil, contain: ContainmentChoice = .automatic
  ) {
    self.name = name
    self.command = command.map { PlaceholderText($0) }
    self.port = port
    self.listen = listen
    self.ready = ready ?? WorkerDefinition.defaultReadiness(port: port)
    var steps = stop ?? ShutdownTimeouts().defaultStop(withRequest: self.ready.isHTTP)
    if steps.last?.isKill != true { steps.append(.signal(.kill, wait: nil)) }
    self.stop = steps
    self.restart = restart
    self.backoff = backoff
    self.startTimeout = startTimeout
    self.check = check
    self.directory = directory
    self.environment = environment.mapValues { PlaceholderText($0) }
    self.user = user
    self.group = group
    self.capabilities = capabilities
    self.noNewPrivileges = noNewPrivileges
    self.limits = limits
    self.umask = umask
    self.nice = nice
    self.outOfMemoryScore = outOfMemoryScore
    self.contain = contain
  }

  static func defaultReadiness(port: UInt16?) -> Readiness {
    port == nil ? .none : .tcp
  }

  /// The program and its arguments, ready to be executed.
  ///
  /// - Parameter descriptor: the number of the listening socket in the child, where `listen` is `.inherit`.
  public func arguments(descriptor: Int32? = nil) -> [String] {
    self.command.map { $0.text(descriptor: descriptor) }
  }

  /// The variables to set, ready to be used.
  ///
  /// - Parameter descriptor: the number of the listening socket in the child, where `listen` is `.inherit`.
  public func variables(descriptor: Int32? = nil) -> [String: String] {
    self.environment.mapValues { $0.text(descriptor: descriptor) }
  }

  /// What changes in the child before its program starts, with user and group looked up now.
  ///
  /// - Throws: `ProcessError` with code `.invalidArgument` naming a user, group or capability that
  ///   does not exist here.
  public func childSetup() throws(ProcessError) -> ChildSetup {
    var setup = ChildSetup()
    setup.credentials = try self.credentials()
    if let capabilities = self.capabilities { setup.capabilities = try CapabilitySet(names: capabilities) }
    setup.noNewPrivileges = self.noNewPrivileges
    setup.limits = self.limits
    setup.umask = self.umask
    setup.nice = self.nice
    setup.outOfMemoryScore = self.outOfMemoryScore
    return setup
  }

  /// The ids of `user` and `group`, looked up now (getpwnam(3), getgrnam(3), getgrouplist(3)); nil if
  /// neither is set.
  ///
  /// - Throws: `ProcessError` with code `.invalidArgument` naming what does not exist.
  public func credentials() throws(ProcessError) -> ChildSetup.Credentials? {
    try AccountLookup.credentials(user: self.user, group: self.group)
  }
}

extension Readiness {
  var isHTTP: Bool {
    if case .http = self { true } else { false }
  }
}
