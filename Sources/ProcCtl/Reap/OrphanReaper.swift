/// Reaps ended children that nobody in this program asked for, as a policy allows.
///
/// It never waits for "any child": it reads the list of children, leaves those
/// it knows and those another thread started to their owners, and reaps an
/// unknown zombie by its pid, after it has been one for the grace.
package struct OrphanReaper {
  private let kernel: any Kernel
  private let policy: ReapingPolicy
  private var zombies: [ProcessIdentity: MonotonicInstant] = [:]
  /// Started here, and not forgotten when the thread that did so exits.
  private var started: Set<ProcessIdentity> = []

  package init(kernel: any Kernel, policy: ReapingPolicy) {
    self.kernel = kernel
    self.policy = policy
  }

  /// Looks at all children once. Returns the pids it reaped.
  package mutating func collect(except tracked: Set<ProcessIdentifier>) -> [ProcessIdentifier] {
    var reaped: [ProcessIdentifier] = []
    var seen: [ProcessIdentity: MonotonicInstant] = [:]
    let now = self.kernel.now
    guard let children = self.children() else { return [] }
    var started = Set(
      children.started.filter { !tracked.contains($0) }.compactMap { self.kernel.status(of: $0)?.identity })
    for child in children.adoptable where !tracked.contains(child) {
      guard let status = self.kernel.status(of: child) else { continue }
      if self.started.contains(status.identity) {
        started.insert(status.identity)
        continue
      }
      guard status.isDead else { continue }
      let since = self.zombies[status.identity] ?? now
      if since.duration(to: now) >= self.policy.grace, self.kernel.reap(child) != nil {
        reaped.append(child)
      } else {
        seen[status.identity] = since
      }
    }
    self.zombies = seen
    self.started = started
    return reaped
  }

  private func children() -> ChildrenByOrigin? {
    guard self.policy == .exclusive else { return self.kernel.childrenByOrigin() }
    // All of them are ours, whoever started them.
    return ChildrenByOrigin(
      adoptable: self.kernel.children(of: self.kernel.selfIdentifier), started: [])
  }
}
