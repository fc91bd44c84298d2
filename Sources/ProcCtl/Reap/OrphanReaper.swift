/// Reaps ended children that nobody in this program asked for, as a policy allows.
///
/// It never waits for "any child": it reads the list of children, leaves those
/// it knows to their owners, and reaps an unknown zombie by its pid, after it
/// has been one for the grace.
package struct OrphanReaper {
  private let kernel: any Kernel
  private let grace: Duration
  private var zombies: [ProcessIdentity: MonotonicInstant] = [:]

  package init(kernel: any Kernel, grace: Duration) {
    self.kernel = kernel
    self.grace = grace
  }

  /// Looks at all children once. Returns the pids it reaped.
  package mutating func collect(except tracked: Set<ProcessIdentifier>) -> [ProcessIdentifier] {
    var reaped: [ProcessIdentifier] = []
    var seen: [ProcessIdentity: MonotonicInstant] = [:]
    let now = self.kernel.now
    for child in self.kernel.children(of: self.kernel.selfIdentifier) where !tracked.contains(child) {
      guard let status = self.kernel.status(of: child), status.isDead else { continue }
      let since = self.zombies[status.identity] ?? now
      if since.duration(to: now) >= self.grace, self.kernel.reap(child) != nil {
        reaped.append(child)
      } else {
        seen[status.identity] = since
      }
    }
    self.zombies = seen
    return reaped
  }
}
