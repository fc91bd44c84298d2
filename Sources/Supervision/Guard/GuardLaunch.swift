package import ProcCtl
internal import SystemPackage

/// How a command is put under a guard: `procctl spawn` around it, tied to us.
package struct GuardLaunch: Sendable {
  /// The procctl to run.
  package var program: Executable
  /// The guard becomes the first process of a pid namespace; nil for none.
  package var namespace: ProcessNamespace?
  /// Who ends what the command leaves behind.
  package var leftovers: GuardedCommand.Leftovers
  /// What a guard needs to be handed to have our rights, and what of it is for the command too:
  /// capabilities of ours, if we are not root and have some; otherwise an exec takes them.
  package var capabilities: (own: CapabilitySet, inherited: CapabilitySet)?
  /// Further options for the guard.
  package var options: [ByteString] = []

  package init(
    program: Executable, namespace: ProcessNamespace? = nil, leftovers: GuardedCommand.Leftovers
  ) {
    self.program = program
    self.namespace = namespace
    self.leftovers = leftovers
  }

  /// Why a command with this set-up cannot be run under it; nil if it can.
  package func obstacle(to setup: ChildSetup) -> ProcessError? {
    guard self.namespace == .unprivileged else { return nil }
    if let capabilities = setup.capabilities, !capabilities.isEmpty {
      return ProcessError(
        .contain,
        doing: "have capabilities (\(capabilities)) in a pid namespace that was made without rights")
    }
    guard let credentials = setup.credentials else { return nil }
    return ProcessError(
      .contain,
      doing:
        "run as user \(credentials.user) in a pid namespace that was made without rights, where only our own user exists"
    )
  }

  /// The guard's command line. Streams and session are those of the command; what changes who it is
  /// and what it may goes to the guard as options, and its environment by a file, because the guard
  /// keeps our rights: a command that runs as somebody else cannot harm it.
  ///
  /// - Throws: `ProcessError` with code `.contain`.
  package func command(_ guarded: Command, channel: GuardChannel) throws(ProcessError) -> Command {
    let descriptor = ByteString("\(GuardChannel.descriptorInGuard.rawValue)")
    var arguments: [ByteString] = [
      "spawn", "--status-fd", descriptor, "--lifeline", descriptor, "--environment-fd",
      ByteString("\(GuardChannel.environmentInGuard.rawValue)"),
    ]
    if self.leftovers == .left { arguments.append("--leave-leftovers") }
    if let inherited = self.capabilities?.inherited {
      arguments += ["--hand-on", ByteString(inherited.names.joined(separator: ","))]
    }
    arguments += self.options
    arguments += self.options(of: guarded)
    arguments.append("--")
    switch guarded.executable.location {
    case .name(let name): arguments.append(name)
    case .path(let path): arguments.append(path.withPlatformString { ByteString(cString: $0) })
    }

    var command = guarded
    command.executable = self.program
    command.argumentZero = "procctl"
    command.arguments = arguments + guarded.arguments
    command.directory = nil
    command.setup = ChildSetup()
    command.setup.processNamespace = self.namespace
    command.setup.handedCapabilities = self.capabilities?.own
    command.environment = .inherit
    command.passedDescriptors = try channel.descriptors(handing: guarded.environment)
    return command
  }

  private func options(of command: Command) -> [ByteString] {
    let setup = command.setup
    var options: [ByteString] = []
    func add(_ name: ByteString, _ value: String) { options += [name, ByteString(value)] }
    if let directory = command.directory {
      options += ["--chdir", directory.withPlatformString { ByteString(cString: $0) }]
    }
    if let credentials = setup.credentials {
      add("--user", "\(credentials.user)")
      add("--group", "\(credentials.group)")
    }
    if let capabilities = setup.capabilities {
      add("--ambient-caps", capabilities.names.joined(separator: ","))
    }
    if setup.noNewPrivileges { options.append("--no-new-privs") }
    for limit in setup.limits {
      let soft = limit.soft.map { "\($0)" } ?? "unlimited"
      let hard = limit.hard.map { "\($0)" } ?? "unlimited"
      add("--limit", "\(limit.resource)=\(soft):\(hard)")
    }
    if let umask = setup.umask { add("--umask", String(umask, radix: 8)) }
    if let nice = setup.nice { options.append(ByteString("--nice=\(nice)")) }
    if let score = setup.outOfMemoryScore { options.append(ByteString("--oom-score-adj=\(score)")) }
    return options
  }
}
