public import SystemPackage

/// What changes in a child before its program starts, beyond posix_spawn(3).
///
/// With any of it set the child is made by a slower path that runs a few
/// system calls between fork and exec; an error says at which of them.
public struct ChildSetup: Sendable, Equatable {
  /// A user or group by number, with the supplementary groups that go with it.
  public struct Credentials: Sendable, Equatable {
    /// The user id, real, effective and saved (setresuid(2)).
    public var user: UInt32
    /// The group id, real, effective and saved (setresgid(2)).
    public var group: UInt32
    /// Replaces the supplementary groups, so that none of ours leak.
    public var supplementaryGroups: [UInt32]

    /// Creates credentials; nothing is looked up.
    public init(user: UInt32, group: UInt32, supplementaryGroups: [UInt32] = []) {
      self.user = user
      self.group = group
      self.supplementaryGroups = supplementaryGroups
    }
  }

  /// A resource limit (setrlimit(2)); nil is unlimited.
  public struct Limit: Sendable, Equatable {
    /// What is limited.
    public var resource: Resource
    /// The limit in force, in the resource's own unit: bytes, seconds, or how many.
    public var soft: UInt64?
    /// How far the program may raise it.
    public var hard: UInt64?

    /// Creates a limit.
    public init(_ resource: Resource, soft: UInt64?, hard: UInt64?) {
      self.resource = resource
      self.soft = soft
      self.hard = hard
    }
  }

  /// Who the program runs as; nil for whoever we are.
  public var credentials: Credentials?
  /// The capabilities the program runs with and may ever have; nil leaves them to execve(2).
  public var capabilities: CapabilitySet?
  /// Handed to the program on top of what execve(2) gives it (ambient); what it may ever have stays as it is.
  package var handedCapabilities: CapabilitySet?
  /// Whether no exec gives more rights any more (PR_SET_NO_NEW_PRIVS, prctl(2)).
  public var noNewPrivileges: Bool
  /// The limits that change; the others are ours.
  public var limits: [Limit]
  /// The mode bits that new files do not get (umask(2)); nil for ours.
  public var umask: UInt32?
  /// -20 (favoured) to 19.
  public var nice: Int32?
  /// -1000 (never killed) to 1000 (killed first).
  public var outOfMemoryScore: Int32?
  /// A pid namespace of its own, whose first process the child is; nil for ours.
  public var processNamespace: ProcessNamespace?
  /// An open cgroup.procs; the child is in that cgroup before its program starts.
  public var cgroupProcs: FileDescriptor?
  /// Sent to the child when the thread that spawned it ends (prctl(2), PR_SET_PDEATHSIG).
  public var parentDeathSignal: Signal?

  /// Creates a set-up that changes nothing.
  public init() {
    self.credentials = nil
    self.capabilities = nil
    self.handedCapabilities = nil
    self.noNewPrivileges = false
    self.limits = []
    self.umask = nil
    self.nice = nil
    self.outOfMemoryScore = nil
    self.processNamespace = nil
    self.cgroupProcs = nil
    self.parentDeathSignal = nil
  }

  /// Whether posix_spawn(3) can do all of it, because there is nothing to do.
  var isEmpty: Bool { self == ChildSetup() }
}
