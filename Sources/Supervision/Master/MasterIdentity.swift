internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage
internal import SystemdNotify

/// Who the master is while it supervises: `[master] user`, or whoever started it.
struct MasterIdentity {
  /// What to say about it; nil if nothing changed.
  let note: String?

  /// What errors begin with that are about the master's own user.
  static let key = "[master] user"

  /// Becomes the user, and makes sure that what the configuration needs can be had as that user.
  ///
  /// - Throws: `ProcessError`, in one line, before anything is started.
  static func assume(_ configuration: MasterConfiguration) throws(ProcessError) -> MasterIdentity {
    guard
      let (name, credentials, privileges) = try Self.plan(configuration, for: configuration.workers)
    else { return MasterIdentity(note: nil) }
    do throws(ProcessError) {
      try PrivilegeDrop.become(credentials, keeping: privileges.capabilities)
    } catch {
      throw Self.located(error)
    }
    try Self.requireLogs(of: configuration, as: name)
    // It has to be reached again and again.
    if let obstacle = ServiceNotifier.obstacle() {
      throw ProcessError(
        .invalidArgument, doing: "\(Self.key): as user \(name), NOTIFY_SOCKET: \(obstacle.operation)",
        underlyingError: obstacle.underlyingError)
    }
    return MasterIdentity(
      note: "runs as user \(credentials.user), group \(credentials.group), with \(privileges.capabilities)")
  }

  /// As whom it supervises and what it keeps; nil if it stays who it is. Nothing changes yet.
  ///
  /// - Throws: `ProcessError`, in one line, if it cannot be done with the rights this process has.
  static func plan(
    _ configuration: MasterConfiguration, for workers: [WorkerDefinition]
  ) throws(ProcessError) -> (name: String, ChildSetup.Credentials, MasterPrivileges)? {
    let workers = try workers.map { worker throws(ProcessError) in
      MasterPrivileges.Worker(name: worker.name, port: worker.port, setup: try Self.setup(of: worker))
    }
    let held = try HeldCapabilities.current()
    for worker in workers {
      guard let asked = worker.setup.capabilities else { continue }
      let missing = asked.subtracting(held.permitted)
      guard missing.isEmpty else {
        throw ProcessError(
          .spawn,
          doing: "give worker \"\(worker.name)\" capabilities that procctl itself does not have (\(missing))",
          underlyingError: .notPermitted)
      }
    }
    guard let name = configuration.user else { return nil }

    let credentials: ChildSetup.Credentials
    do throws(ProcessError) {
      credentials = try ChildSetup.Credentials(user: name, group: configuration.group)
    } catch {
      throw Self.located(error)
    }
    guard credentials.user != 0 else {
      throw ProcessError(.invalidArgument, doing: "\(Self.key): root gives up nothing; leave \"user\" out")
    }
    let missing = try PrivilegeDrop.missing(toBecome: credentials)
    guard missing.isEmpty else {
      throw ProcessError(
        .invalidArgument,
        doing: "\(Self.key): user \(geteuid()), who runs this, cannot become user \(credentials.user), "
          + "group \(credentials.group), without \(missing)",
        underlyingError: .notPermitted)
    }
    let privileges = MasterPrivileges(for: workers, beyond: try Self.allowance(of: credentials.user))
    let unmet = privileges.unmet(holding: held.permitted)
    guard unmet.isEmpty else {
      throw ProcessError(
        .invalidArgument,
        doing: "\(Self.key): procctl does not have what it would have to keep: "
          + unmet.map(\.description).joined(separator: "; "),
        underlyingError: .notPermitted)
    }
    return (name, credentials, privileges)
  }

  private static func located(_ error: ProcessError) -> ProcessError {
    ProcessError(
      error.code, doing: "\(Self.key): \(error.operation)", underlyingError: error.underlyingError)
  }

  private static func setup(of worker: WorkerDefinition) throws(ProcessError) -> ChildSetup {
    do throws(ProcessError) {
      return try worker.childSetup()
    } catch {
      throw ProcessError(
        error.code, doing: "worker \"\(worker.name)\": \(error.operation)",
        underlyingError: error.underlyingError)
    }
  }

  private static func allowance(of user: UInt32) throws(ProcessError) -> MasterPrivileges.Allowance {
    var allowance = MasterPrivileges.Allowance(user: user)
    for resource in Resource.allNames.compactMap({ Resource(name: $0) }) {
      allowance.hardLimits[resource] = resource.hardLimit
    }
    allowance.nice = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
    allowance.outOfMemoryScore =
      try Self.number(in: "/proc/self/oom_score_adj").map(Int32.init(clamping:)) ?? 0
    let first = try Self.number(in: "/proc/sys/net/ipv4/ip_unprivileged_port_start")
    allowance.firstFreePort = first.map(UInt16.init(clamping:)) ?? 1024
    return allowance
  }

  private static func number(in path: String) throws(ProcessError) -> Int? {
    do throws(Errno) {
      return try ProcFile.read(path, limit: 64).flatMap { bytes in
        Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
      }
    } catch {
      throw ProcessError(.inspect, doing: "read \(path)", underlyingError: error)
    }
  }

  /// Workers' logs are opened at each start, which must not be when it is found out.
  private static func requireLogs(of configuration: MasterConfiguration, as user: String) throws(ProcessError)
  {
    guard let directory = configuration.logDirectory else { return }
    for worker in configuration.workers {
      let log = directory.appending("\(worker.name).log")
      let exists = access(log.string, F_OK) == 0
      guard access(exists ? log.string : directory.string, exists ? W_OK : W_OK | X_OK) == 0 else {
        throw ProcessError(
          .invalidArgument, doing: "\(Self.key): user \(user) cannot write the log \(log)",
          underlyingError: Errno(rawValue: errno))
      }
    }
  }
}
