/// Reaps ended children that nobody in this program asked for, as a policy allows.
///
/// It never waits for "any child": it reads the list of children, leaves those
/// it knows and those another thread started to their owners, and reaps an
/// unknown zombie by its pid, after it has been one for the grace.
package struct OrphanReaper {
  private let kernel: any Kernel
  private let policy: ReapingPolicy
  /// Those left to others, and for how long by now.
  private var zombies: [ProcessIdentity: Duration] = [:]
  private var lastLook: MonotonicInstant?
  /// Started here, and not forgotten when the thread that did so exits.
  private var started: Set<ProcessIdentity> = []

  package init(kernel: any Kernel, policy: ReapingPolicy) {
    self.kernel = kernel
    self.policy = policy
  }

  /// When to look again after a look; nil for never.
  package var lookInterval: Duration? {
    self.policy.lookInterval(waitsForOthers: !self.zombies.isEmpty)
  }

  /// Looks at all children once. Returns the pids it reaped.
  ///
  /// Where it cannot look it leaves everything to the next time: a child that is not
  /// recognised as somebody's is reaped.
  package mutating func collect(except tracked: Set<ProcessIdentifier>) -> [ProcessIdentifier] {
    var reaped: [ProcessIdentifier] = []
    do throws(ProcessError) {
      try self.collect(except: tracked, into: &reaped)
    } catch {
      return reaped
    }
    return reaped
  }

  private mutating func collect(
    except tracked: Set<ProcessIdentifier>, into reaped: inout [ProcessIdentifier]
  ) throws(ProcessError) {
    guard let children = try self.children() else { return }
    var seen: [ProcessIdentity: Duration] = [:]
    let now = self.kernel.now
    let passed = min(self.lastLook?.duration(to: now) ?? .zero, self.policy.gracePart)
    var started: Set<ProcessIdentity> = []
    for child in children.started where !tracked.contains(child) {
      if let identity = try self.kernel.status(of: child)?.identity { started.insert(identity) }
    }
    for child in children.adoptable where !tracked.contains(child) {
      guard let status = try self.kernel.status(of: child) else { continue }
      if self.started.contains(status.identity) {
        started.insert(status.identity)
        continue
      }
      guard status.isDead else { continue }
      let waited = self.zombies[status.identity].map { $0 + passed } ?? .zero
      if waited >= self.policy.grace, self.kernel.reap(child) != nil {
        reaped.append(child)
      } else {
        seen[status.identity] = waited
      }
    }
    self.zombies = seen
    self.lastLook = now
    self.started = started
  }

  private func children() throws(ProcessError) -> ChildrenByOrigin? {
    guard self.policy == .exclusive else { return try self.kernel.childrenByOrigin() }
    // All of them are ours, whoever started them.
    return ChildrenByOrigin(
      adoptable: try self.kernel.children(of: self.kernel.selfIdentifier), started: [])
  }
}
