internal import CProcCtl
internal import CProcCtlChild
internal import Glibc
internal import SystemPackage

/// Starts programs. Call it from one thread of a process only: a parent-death
/// signal fires when the thread that spawned ends.
enum Spawner {
  /// Starts the command and returns its pid, which nobody has reaped yet.
  ///
  /// Returns after the exec, so a program that cannot be executed is an error here.
  static func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentifier {
    let paths = try ExecutableSearch.paths(for: command)
    let arguments = [self.argumentZero(of: command)] + command.arguments
    let environment = command.environment.entries()
    return try ArgumentVector.withPointers(to: arguments) { (argv) throws(ProcessError) in
      try ArgumentVector.withPointers(to: environment) { (envp) throws(ProcessError) in
        try self.firstExecutable(of: paths) { (path) throws(ProcessError) in
          self.canUsePosixSpawn(command)
            ? try self.spawnFast(command, path: path, arguments: argv, environment: envp)
            : try self.spawnWithSetup(command, path: path, arguments: argv, environment: envp)
        }
      }
    }
  }

  /// Spawns the first path that can be executed. If none can, the error is that of the first to which
  /// permission was denied, else that of the first (execvp(3)).
  private static func firstExecutable(
    of paths: [[CChar]], spawn: ([CChar]) throws(ProcessError) -> ProcessIdentifier
  ) throws(ProcessError) -> ProcessIdentifier {
    var failure = ProcessError(.commandNotFound, doing: "find the command")
    for (index, path) in paths.enumerated() {
      do throws(ProcessError) {
        return try spawn(path)
      } catch {
        guard ExecutableSearch.goesOn(after: error) else { throw error }
        let isDenial = error.underlyingError == .permissionDenied
        if index == 0 || (isDenial && failure.underlyingError != .permissionDenied) { failure = error }
      }
    }
    throw failure
  }

  private typealias Vector = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

  private static func argumentZero(of command: Command) -> ByteString {
    if let zero = command.argumentZero { return zero }
    switch command.executable.location {
    case .name(let name): return name
    case .path(let path): return path.withPlatformString { ByteString(cString: $0) }
    }
  }

  private static func streams(of command: Command) -> [(Command.StandardStream, Int32)] {
    [(command.standardInput, 0), (command.standardOutput, 1), (command.standardError, 2)]
  }

  /// Streams that swap places among 0, 1 and 2, and passed descriptors, need the
  /// two-step move the child target makes.
  private static func canUsePosixSpawn(_ command: Command) -> Bool {
    guard command.setup.isEmpty, command.passedDescriptors.isEmpty else { return false }
    return self.streams(of: command).allSatisfy { stream, target in
      guard case .descriptor(let source) = stream else { return true }
      return source.rawValue > 2 || source.rawValue == target
    }
  }

  // MARK: posix_spawn

  private static func spawnFast(
    _ command: Command, path: [CChar], arguments: Vector, environment: Vector
  ) throws(ProcessError) -> ProcessIdentifier {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }

    if let directory = command.directory {
      _ = directory.withPlatformString { posix_spawn_file_actions_addchdir_np(&actions, $0) }
    }
    for (stream, target) in self.streams(of: command) {
      switch stream {
      case .inherited: break
      case .null: posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0)
      case .descriptor(let source): posix_spawn_file_actions_adddup2(&actions, source.rawValue, target)
      }
    }

    var flags = CPROCCTL_SPAWN_SETSIGDEF | CPROCCTL_SPAWN_SETSIGMASK
    switch command.session {
    case .new: flags |= CPROCCTL_SPAWN_SETSID
    case .inherited: break
    case .newGroup(let terminal):
      flags |= CPROCCTL_SPAWN_SETPGROUP
      posix_spawnattr_setpgroup(&attributes, 0)
      if let terminal { posix_spawn_file_actions_addtcsetpgrp_np(&actions, terminal.rawValue) }
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    var every = sigset_t()
    var none = sigset_t()
    sigfillset(&every)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &every)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var pid: pid_t = -1
    let error = posix_spawn(&pid, path, &actions, &attributes, arguments, environment)
    guard error == 0 else { throw self.failure(Errno(rawValue: error), of: command, at: path) }
    return ProcessIdentifier(pid)
  }

  /// posix_spawn returns one errno for all its steps, so find out whose it was.
  private static func failure(_ error: Errno, of command: Command, at path: [CChar]) -> ProcessError {
    if error == .resourceTemporarilyUnavailable || error == .noMemory {
      return ProcessError(.spawn, doing: "make a child process", underlyingError: error)
    }
    if let directory = command.directory {
      let readable = directory.withPlatformString { access($0, X_OK) }
      if readable != 0 {
        return ProcessError(
          .spawn, doing: "change the child's directory to \(directory)", underlyingError: error)
      }
    }
    return ExecutionFailure.error(error, of: command, at: path)
  }

  // MARK: The child target

  private static func spawnWithSetup(
    _ command: Command, path: [CChar], arguments: Vector, environment: Vector
  ) throws(ProcessError) -> ProcessIdentifier {
    if let asked = command.setup.capabilities { try HeldCapabilities.requirePermitted(asked) }
    var nullDevice: Int32 = -1
    defer { if nullDevice >= 0 { close(nullDevice) } }
    let descriptors = try self.descriptors(of: command, nullDevice: &nullDevice)

    var setup = procctl_child_setup()
    setup.arguments = UnsafePointer(arguments)
    setup.environment = UnsafePointer(environment)
    self.apply(command.session, to: &setup)
    self.apply(command.setup, to: &setup)

    let pointees = SetupPointees(path: path, descriptors: descriptors, of: command)
    var result = procctl_child_result()
    let failed = pointees.withPointers(in: &setup) { procctl_child_spawn(&$0, &result) }
    guard failed == 0 else { throw self.failure(result, of: command, at: path) }
    close(result.pidfd)
    return ProcessIdentifier(result.pid)
  }

  private static func failure(
    _ result: procctl_child_result, of command: Command, at path: [CChar]
  ) -> ProcessError {
    let error = Errno(rawValue: result.error)
    if result.stage == Int32(PROCCTL_STAGE_EXEC.rawValue) {
      return ExecutionFailure.error(error, of: command, at: path)
    }
    return ProcessError(
      .spawn, doing: SpawnStage.description(result.stage, of: command), underlyingError: error)
  }

  /// What the child has open.
  ///
  /// - Parameter nullDevice: Opened if it is needed and not open yet; the caller closes it.
  private static func descriptors(
    of command: Command, nullDevice: inout Int32
  ) throws(ProcessError) -> [procctl_descriptor] {
    var descriptors: [procctl_descriptor] = []
    for (stream, target) in self.streams(of: command) {
      switch stream {
      case .inherited: break
      case .descriptor(let source):
        descriptors.append(procctl_descriptor(source: source.rawValue, target: target))
      case .null:
        if nullDevice < 0 { nullDevice = cprocctl_open("/dev/null", O_RDWR | O_CLOEXEC, 0) }
        guard nullDevice >= 0 else {
          throw ProcessError(.spawn, doing: "open /dev/null", underlyingError: Errno(rawValue: errno))
        }
        descriptors.append(procctl_descriptor(source: nullDevice, target: target))
      }
    }
    return descriptors
      + command.passedDescriptors.map {
        procctl_descriptor(source: $0.source.rawValue, target: $0.target.rawValue)
      }
  }

  private static func apply(_ session: Command.Session, to setup: inout procctl_child_setup) {
    setup.foreground_terminal = -1
    switch session {
    case .new: setup.new_session = 1
    case .inherited: break
    case .newGroup(let terminal):
      setup.new_group = 1
      setup.foreground_terminal = terminal?.rawValue ?? -1
    }
  }

  private static func apply(_ changes: ChildSetup, to setup: inout procctl_child_setup) {
    changes.processNamespace?.apply(to: &setup)
    setup.cgroup_procs = changes.cgroupProcs?.rawValue ?? -1
    if let credentials = changes.credentials {
      setup.set_user = 1
      setup.user = credentials.user
      setup.set_group = 1
      setup.group = credentials.group
      setup.set_groups = 1
    }
    if let handed = changes.handedCapabilities {
      setup.set_capabilities = 1
      setup.capabilities = handed.bits
      setup.ambient = handed.bits
      setup.keep_bounding = 1
    }
    if let capabilities = changes.capabilities {
      setup.set_capabilities = 1
      setup.capabilities = capabilities.bits
      setup.ambient = capabilities.bits
      setup.bounding = capabilities.bits
    }
    setup.no_new_privileges = changes.noNewPrivileges ? 1 : 0
    setup.parent_death_signal = changes.parentDeathSignal?.rawValue ?? 0
    if let umask = changes.umask {
      setup.set_umask = 1
      setup.umask = umask
    }
    if let nice = changes.nice {
      setup.set_nice = 1
      setup.nice = nice
    }
  }
}
