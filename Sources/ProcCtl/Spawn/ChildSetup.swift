public import SystemPackage

/// What changes in a child before its program starts, beyond posix_spawn(3).
///
/// With any of it set the child is made by a slower path that runs a few
/// system calls between fork and exec; an error says at which of them.
public struct ChildSetup: Sendable, Equatable {
  /// A user or group by number, with the supplementary groups that go with it.
  public struct Credentials: Sendable, Equatable {
    public var user: UInt32
    public var group: UInt32
    /// Replaces the supplementary groups, so that none of ours leak.
    public var supplementaryGroups: [UInt32]

    public init(user: UInt32, group: UInt32, supplementaryGroups: [UInt32] = []) {
      self.user = user
      self.group = group
      self.supplementaryGroups = supplementaryGroups
    }
  }

  /// A resource limit (setrlimit(2)); nil is unlimited.
  public struct Limit: Sendable, Equatable {
    public var resource: Resource
    public var soft: UInt64?
    public var hard: UInt64?

    public init(_ resource: Resource, soft: UInt64?, hard: UInt64?) {
      self.resource = resource
      self.soft = soft
      self.hard = hard
    }
  }

  public var credentials: Credentials?
  /// The capabilities the program runs with and may ever have; nil leaves them to execve(2).
  public var capabilities: CapabilitySet?
  /// Handed to the program on top of what execve(2) gives it (ambient); what it may ever have stays as it is.
  package var handedCapabilities: CapabilitySet?
  public var noNewPrivileges: Bool
  public var limits: [Limit]
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
