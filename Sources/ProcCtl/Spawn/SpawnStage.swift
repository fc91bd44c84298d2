internal import CProcCtlChild
internal import SystemPackage

/// What a child was doing between fork and exec when it failed.
enum SpawnStage {
  static func description(_ stage: Int32, of command: Command) -> String {
    let setup = command.setup
    switch procctl_child_stage(rawValue: UInt32(stage)) {
    case PROCCTL_STAGE_FORK:
      return setup.processNamespace == nil ? "make a child process" : "make a pid namespace"
    case PROCCTL_STAGE_USER_NAMESPACE: return "map our ids into a user namespace"
    case PROCCTL_STAGE_PROC_MOUNT: return "mount /proc of the pid namespace"
    case PROCCTL_STAGE_SIGNALS: return "reset the child's signals"
    case PROCCTL_STAGE_SESSION: return "start the child's session"
    case PROCCTL_STAGE_TERMINAL: return "hand the terminal to the child"
    case PROCCTL_STAGE_CGROUP: return "move the child into its cgroup"
    case PROCCTL_STAGE_OOM_SCORE:
      return "set the child's out-of-memory score to \(setup.outOfMemoryScore ?? 0)"
    case PROCCTL_STAGE_NICE: return "set the child's nice value to \(setup.nice ?? 0)"
    case PROCCTL_STAGE_LIMITS:
      return
        "set the child's resource limits (\(setup.limits.map(\.resource.description).joined(separator: ", ")))"
    case PROCCTL_STAGE_DESCRIPTORS: return "hand descriptors to the child"
    case PROCCTL_STAGE_GROUPS: return "set the child's supplementary groups"
    case PROCCTL_STAGE_GROUP: return "set the child's group to \(setup.credentials?.group ?? 0)"
    case PROCCTL_STAGE_BOUNDING_SET: return "drop capabilities from the child's bounding set (CAP_SETPCAP)"
    case PROCCTL_STAGE_USER: return "set the child's user to \(setup.credentials?.user ?? 0)"
    case PROCCTL_STAGE_CAPABILITIES: return "set the child's capabilities"
    case PROCCTL_STAGE_AMBIENT: return "raise the child's ambient capabilities"
    case PROCCTL_STAGE_NO_NEW_PRIVILEGES: return "set no_new_privs"
    case PROCCTL_STAGE_PARENT_DEATH_SIGNAL: return "arm the child's parent-death signal"
    case PROCCTL_STAGE_DIRECTORY: return "change the child's directory to \(command.directory?.string ?? "?")"
    default: return "execute \(command.executable)"
    }
  }
}
