public import SystemPackage

/// Everything the master is told: its own settings and its workers.
public struct MasterConfiguration: Sendable, Equatable {
  /// Where it was read from, without links; nil if it is no file's.
  public var file: FilePath?
  /// How long each phase of the shutdown may take.
  public var shutdown: ShutdownTimeouts
  /// Whether who has a worker's port after its end is ended even if it is none of ours.
  public var forceForeign = false
  /// The control socket; nil for the default place.
  public var control: FilePath?
  /// Where the health endpoint listens; nil for none.
  public var health: HealthAddress?
  /// An existing directory for the workers' output and the master's own files; nil for none.
  public var logDirectory: FilePath?
  /// How the master writes its log.
  public var logFormat: LogFormat
  /// How large a file in the log directory may become, in bytes; 0 for no limit.
  public var logSize: Int
  /// How many older files are kept beside each of them.
  public var logKeep: Int
  /// Who the master becomes once it has opened what it must, by name or number; nil for whoever
  /// started it.
  public var user: String?
  /// The group that goes with ``user``; nil for the user's own.
  public var group: String?
  package var accountPlaces = AccountPlaces()
  /// In the order of the file; those of `[repositories]` last, in the order of theirs.
  public var workers: [WorkerDefinition]
  /// In the order of the file; the last one runs first.
  public var cleanups: [CleanupCommand]

  /// 10 MiB, in bytes.
  public static let defaultLogSize = 10 << 20
  /// Three older files beside each.
  public static let defaultLogKeep = 3

  /// Creates a configuration from code; everything but the workers has its default.
  public init(
    shutdown: ShutdownTimeouts = ShutdownTimeouts(), control: FilePath? = nil, health: HealthAddress? = nil,
    logDirectory: FilePath? = nil, logFormat: LogFormat = .text,
    logSize: Int = MasterConfiguration.defaultLogSize,
    logKeep: Int = MasterConfiguration.defaultLogKeep, user: String? = nil,
    group: String? = nil, workers: [WorkerDefinition],
    cleanups: [CleanupCommand] = []
  ) {
    self.shutdown = shutdown
    self.control = control
    self.health = health
    self.logDirectory = logDirectory
    self.logFormat = logFormat
    self.logSize = logSize
    self.logKeep = logKeep
    self.user = user
    self.group = group
    self.workers = workers
    self.cleanups = cleanups
  }
}
