internal import ArgumentParser
internal import CProcCtl
internal import CProcCtlChild
internal import Glibc
internal import ProcCtl
internal import Supervision
internal import SystemPackage

struct SpawnCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "spawn",
    abstract: "Runs one command and leaves nothing of it behind.",
    usage: "procctl spawn [OPTIONS] -- COMMAND [ARGUMENT…]",
    discussion: """
      The command runs below a subreaper, in a session of its own, or with the terminal if there \
      is one. Signals are forwarded; SIGTERM also starts the grace after which everything is \
      killed. What the command leaves behind when it ends gets the signal, the grace, and KILL.

      Exit status: the command's own, or 128+N if signal N ended it; 124 if the time limit did; \
      125 if procctl failed or a process survived; 126 if the command cannot be executed; 127 if \
      there is no such command; 64 for a bad command line.
      """)

  // A negative time is said to be one.
  @Option(
    parsing: .unconditional,
    help: "Stop the command after this long: 250ms, 10s, 2m; a bare number is seconds, 0 no limit.",
    transform: OptionText.duration)
  var timeout: Duration?

  @Option(
    parsing: .unconditional, help: "Time between the stop signal and KILL (default: 5s).",
    transform: OptionText.duration)
  var grace: Duration = .seconds(5)

  @Option(help: "The signal that asks the command to stop (default: TERM).", transform: OptionText.signal)
  var signal: Signal = .terminate

  @Option(
    help: ArgumentHelp("Send B instead of A; with nothing for B, drop A.", valueName: "a:b"),
    transform: OptionText.signalMapping)
  var mapSignal: [SignalMapping] = []

  @Flag(help: "Keep the command in our session, in the foreground of the terminal if there is one.")
  var foreground = false

  @Flag(help: "Leave a supervisor behind, print its name and pid, and return.")
  var detach = false

  @Option(help: "A name by which kill-group finds it.")
  var name: String?

  @Option(help: "How the processes are kept together.")
  var contain = ContainmentChoice.automatic

  @Option(help: "Run as this user, by name or number.", transform: OptionText.name)
  var user: String?

  @Option(help: "Run as this group, by name or number.", transform: OptionText.name)
  var group: String?

  @Option(
    help: ArgumentHelp("Capabilities to run with, and no others: net_bind_service,…", valueName: "list"))
  var ambientCaps: String?

  @Flag(help: "Never gain privileges by executing a file (no_new_privs).")
  var noNewPrivs = false

  @Option(
    help: ArgumentHelp("A resource limit: nofile=1024:4096.", valueName: "name=soft:hard"),
    transform: OptionText.limit)
  var limit: [ChildSetup.Limit] = []

  @Option(
    help: ArgumentHelp("Permissions that new files do not get: 022.", valueName: "octal"),
    transform: OptionText.umask)
  var umask: UInt32?

  // The next word is the value, though it begins with a dash.
  @Option(
    parsing: .unconditional, help: ArgumentHelp("-20 (favoured) to 19.", valueName: "number"),
    transform: OptionText.nice)
  var nice: Int32?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("-1000 (never killed for memory) to 1000 (killed first).", valueName: "number"),
    transform: OptionText.outOfMemoryScore)
  var oomScoreAdj: Int32?

  @Option(
    name: .customLong("chdir"), help: "Run in this directory.", completion: .directory,
    transform: OptionText.name)
  var directory: String?

  @Option(
    help: ArgumentHelp("Set a variable of the environment.", valueName: "name=value"),
    transform: OptionText.variable)
  var env: [EnvironmentAssignment] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: "A TCP port that must be free before the command and after it.", transform: OptionText.port)
  var port: [UInt16] = []

  @Option(parsing: .unconditional, help: "Write a JSON line for each event to this descriptor.")
  var statusFd: Int32?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "End the command, with all it started, when the other end of this descriptor is closed.",
      valueName: "fd")
  )
  var lifeline: Int32?

  /// A master above ends them by its own plan.
  @Flag(help: .private)
  var leaveLeftovers = false

  /// The command's environment, from somebody who has put a guard around it.
  @Option(help: .private)
  var environmentFd: Int32?

  /// The capabilities a master that is not root has handed to us go no further, but for these.
  @Option(help: .private)
  var handOn: String?

  @Flag(help: "Write a JSON report to standard error at the end.")
  var json = false

  /// What --detach starts: ourselves, once more, without the caller's descriptors.
  @Flag(help: .private)
  var detachedSupervisor = false

  static let missingCommand = "say what to run after --: procctl spawn [OPTIONS] -- COMMAND [ARGUMENT…]"

  func validate() throws {
    if self.group != nil, self.user == nil {
      throw ValidationError("--group needs --user")
    }
    if let descriptor = self.statusFd, fcntl(descriptor, F_GETFD) < 0 {
      throw ValidationError("--status-fd \(descriptor): there is no such open descriptor")
    }
    if let descriptor = self.lifeline, fcntl(descriptor, F_GETFD) < 0 {
      throw ValidationError("--lifeline \(descriptor): there is no such open descriptor")
    }
    if self.detach, self.lifeline != nil {
      throw ValidationError("--detach and --lifeline: a detached command is tied to nobody")
    }
    if self.detach, self.statusFd != nil || self.json {
      throw ValidationError(
        "--detach leaves nobody to report to: it goes with neither --status-fd nor --json")
    }
    if let name = self.name, !SpawnRegistry.isValid(name: name) {
      throw ValidationError(
        "--name takes letters, digits, '.', '_' and '-', 64 at most, and no number, which would be a pid")
    }
  }

  func execute(command words: [ByteString]?) -> Int32 {
    guard let words, let program = words.first else {
      Message.error(SpawnCommand.missingCommand)
      return ExitStatus.usage
    }
    // Started by way of /proc/self/exe, it would be listed as "exe".
    if self.detachedSupervisor || self.lifeline != nil { _ = cprocctl_set_process_name("procctl") }
    do {
      let command = try self.command(program, Array(words.dropFirst()))
      if self.detach { return try DetachedSpawn.start(options: self, words: words) }
      return try self.run(command)
    } catch {
      let status = (error as? ProcessError).map { ExitStatus.of($0) } ?? ExitStatus.failed
      SpawnReporter(descriptor: self.statusFd, finalOnStandardError: false)
        .failed("\(error)", exitStatus: status)
      // A master that leaves nothing to us says it itself.
      if !self.leaveLeftovers { Message.error("spawn: \(error)") }
      return status
    }
  }

  private func command(_ program: ByteString, _ arguments: [ByteString]) throws -> Command {
    var command = Command(.name(program), arguments: arguments)
    for assignment in self.env {
      command.environment = command.environment.setting(
        ByteString(assignment.name), to: ByteString(assignment.value))
    }
    if let descriptor = self.environmentFd {
      command.environment = try HandedEnvironment.read(FileDescriptor(rawValue: descriptor))
    }
    command.directory = self.directory.map { FilePath($0) }
    if let user = self.user {
      command.setup.credentials = try ChildSetup.Credentials(user: user, group: self.group)
    }
    if let list = self.ambientCaps {
      command.setup.capabilities = try CapabilitySet(names: list.split(separator: ",").map(String.init))
    }
    command.setup.noNewPrivileges = self.noNewPrivs
    if self.detachedSupervisor, !StandardDescriptors.isFile(2) { command.standardError = .null }
    command.setup.limits = self.limit
    command.setup.umask = self.umask
    command.setup.nice = self.nice
    command.setup.outOfMemoryScore = self.oomScoreAdj
    return command
  }

  private func run(_ command: Command) throws -> Int32 {
    if let list = self.handOn {
      try PrivilegeDrop.keepToOurselves(
        but: CapabilitySet(names: list.split(separator: ",").map(String.init)))
    }
    try PortGuard.requireFree(self.port)
    let registration = try self.name.map { try SpawnRegistry.register(name: $0) }
    defer {
      do throws(ProcessError) {
        try registration?.remove()
      } catch {
        Message.error("spawn: \(error)")
      }
    }
    let reporter = SpawnReporter(descriptor: self.statusFd, finalOnStandardError: self.json)
    let report = try self.supervise(self.guarded(command), telling: reporter)
    let heldPorts = PortGuard.held(self.port)
    if !self.detachedSupervisor { reporter.ended(report, heldPorts: heldPorts) }
    self.complain(of: report)
    for held in heldPorts { Message.error("port \(held)") }
    return heldPorts.isEmpty ? ExitStatus.of(report) : ExitStatus.failed
  }

  private func guarded(_ command: Command) -> GuardedCommand {
    var guarded = GuardedCommand(command: command)
    guarded.timeLimit = self.timeout == .zero ? nil : self.timeout
    guarded.stopSignal = self.signal
    guarded.grace = self.grace
    // --signal says what a stop sends, and SIGTERM is how we are asked to stop.
    guarded.signalMap[.terminate] = self.signal
    for mapping in self.mapSignal { guarded.signalMap[mapping.from] = .some(mapping.to) }
    guarded.foreground = self.foreground ? .always : .automatic
    guarded.usesCgroup = self.contain == .cgroup
    guarded.lifeline = self.lifeline.map { FileDescriptor(rawValue: $0) }
    if self.leaveLeftovers { guarded.leftovers = .left }
    return guarded
  }

  private func supervise(
    _ guarded: GuardedCommand, telling reporter: SpawnReporter
  ) throws -> GuardReport {
    var guarded = guarded
    let loop = try EventLoop()
    let namespace = self.contain == .pidNamespace ? try NamespacedSpawn(on: loop) : nil
    if let namespace {
      try namespace.wrap(&guarded)
      namespace.whenStarted = { reporter.started($0) }
    }
    let commandGuard = try CommandGuard(guarded, on: loop)
    commandGuard.whenCommandEnded = { status, leftovers in
      if let failure = namespace?.failure {
        return reporter.failed(failure, exitStatus: status.shellStatus)
      }
      let (status, leftovers) = namespace?.end ?? (status, leftovers)
      reporter.commandEnded(status, leftovers: leftovers)
    }
    var report = try commandGuard.run { identity in
      if let namespace { namespace.wasSpawned(identity) } else { reporter.started(identity) }
      if self.leaveLeftovers { procctl_release_clean_pages() }
      if self.detachedSupervisor { StandardDescriptors.letGoOfCaller(closing: self.statusFd) }
    }
    namespace?.complete(&report)
    return report
  }

  /// Says what is left, or that nobody can tell.
  private func complain(of report: GuardReport) {
    for survivor in report.survivors { Message.error("survived: \(survivor)") }
    if let error = report.unverified {
      Message.error("spawn: find out whether somebody is left: \(error)")
    } else if report.survivors.isEmpty, !report.isProven {
      Message.error("a child is left that the kernel knows and /proc does not show")
    }
    if report.survivors.isEmpty, let cgroup = report.leftCgroup {
      Message.error("spawn: remove cgroup \(cgroup): it is left, and empty")
    }
  }
}
