public import SystemPackage

/// Everything the master is told: its own settings and its workers.
public struct MasterConfiguration: Sendable, Equatable {
  /// Where it was read from, without links; nil if it is no file's.
  public var file: FilePath?
  public var shutdown: ShutdownTimeouts
  /// The control socket; nil for the default place.
  public var control: FilePath?
  /// Where the health endpoint listens; nil for none.
  public var health: HealthAddress?
  public var logDirectory: FilePath?
  public var logFormat: LogFormat
  /// Who the master becomes once it has opened what it must, by name or number; nil for whoever
  /// started it.
  public var user: String?
  /// The group that goes with ``user``; nil for the user's own.
  public var group: String?
  /// In the order of the file; those of `[repositories]` last, in the order of theirs.
  public var workers: [WorkerDefinition]
  /// In the order of the file; the last one runs first.
  public var cleanups: [CleanupCommand]

  public init(
    shutdown: ShutdownTimeouts = ShutdownTimeouts(), control: FilePath? = nil, health: HealthAddress? = nil,
    logDirectory: FilePath? = nil, logFormat: LogFormat = .text, user: String? = nil,
    group: String? = nil, workers: [WorkerDefinition],
    cleanups: [CleanupCommand] = []
  ) {
    self.shutdown = shutdown
    self.control = control
    self.health = health
    self.logDirectory = logDirectory
    self.logFormat = logFormat
    self.user = user
    self.group = group
    self.workers = workers
    self.cleanups = cleanups
  }
}
