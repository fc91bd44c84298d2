internal import ProcCtl

/// Who belongs to which worker, by all the kernel tells: cgroups where workers
/// have one, and attribution among this subreaper's descendants.
///
/// One look at the process table serves all workers until ``invalidate()``.
final class ProcessSets {
  private let kernel: any Kernel
  private let isHeld: (ProcessIdentifier) -> Bool
  private var attribution = Attribution<Int>()
  private var cgroups: [Int: Cgroup] = [:]
  /// Guards, who are no members of what they guard.
  private var guards: [Int: ProcessIdentifier] = [:]
  private var snapshot: Attribution<Int>.Result?
  private var orphanSnapshot: Attribution<Int>.Result?

  /// - Parameter isHeld: Whether a child is a leader that is not reaped yet.
  init(kernel: any Kernel, isHeld: @escaping (ProcessIdentifier) -> Bool) {
    self.kernel = kernel
    self.isHeld = isHeld
  }

  func add(worker: Int, leader: ProcessIdentifier, cgroup: Cgroup?, isGuard: Bool = false) {
    self.attribution.add(leader: leader, owner: worker)
    self.cgroups[worker] = cgroup
    self.guards[worker] = isGuard ? leader : nil
    self.invalidate()
  }

  /// The worker's program, which its guard has started: should the guard be killed, its session
  /// is what is left to know its processes by.
  func add(worker: Int, program: ProcessIdentifier) {
    self.attribution.add(leader: program, owner: worker)
    self.invalidate()
  }

  func add(worker: Int, cookie: ByteString) {
    self.attribution.add(cookie: cookie, owner: worker)
  }

  /// Forgets the leader before its number can be used again.
  func remove(worker: Int, leader: ProcessIdentifier, program: ProcessIdentifier? = nil) {
    self.attribution.remove(leader: leader)
    if let program { self.attribution.remove(leader: program) }
    self.guards[worker] = nil
    self.cgroups[worker]?.remove()
    self.cgroups[worker] = nil
    self.invalidate()
  }

  /// Processes have come or gone: look again.
  func invalidate() {
    self.snapshot = nil
    self.orphanSnapshot = nil
  }

  /// Everyone of the worker who is not reaped, but for its guard, and for a leader that
  /// has ended: that one is ours to reap.
  func members(of worker: Int, leader: ProcessIdentifier?, leaderRuns: Bool) -> [ProcessStatus] {
    let result = leaderRuns ? self.everybody() : self.orphans()
    let guardian = self.guards[worker]
    var members = (result.members[worker] ?? []).filter {
      (leaderRuns || $0.processIdentifier != leader) && $0.processIdentifier != guardian
    }
    // A guard keeps its program's zombie to the last; that nobody is left is told by its own end.
    if guardian != nil, leaderRuns { members.removeAll { $0.isDead } }
    if let cgroup = self.cgroups[worker], cgroup.isPopulated {
      let known = Set(members.map(\.processIdentifier))
      for pid in cgroup.members() where !known.contains(pid) {
        if let status = self.kernel.status(of: pid) { members.append(status) }
      }
    }
    return members
  }

  /// Kills the worker's cgroup at one stroke, if it has one.
  func killCgroup(of worker: Int) throws(ProcessError) {
    try self.cgroups[worker]?.kill()
  }

  private func everybody() -> Attribution<Int>.Result {
    if let snapshot = self.snapshot { return snapshot }
    let result = self.attribution.attribute(
      self.kernel.descendants(of: self.kernel.selfIdentifier), kernel: self.kernel)
    self.snapshot = result
    return result
  }

  /// Only what hangs below us without a leader above it. With the leader gone,
  /// the topmost of what is left of a worker is a child of ours, so this is all
  /// there is to see, and with nobody there it costs one read.
  private func orphans() -> Attribution<Int>.Result {
    if let snapshot = self.snapshot ?? self.orphanSnapshot { return snapshot }
    let roots = self.kernel.children(of: self.kernel.selfIdentifier).filter { !self.isHeld($0) }
    let result =
      roots.isEmpty
      ? Attribution<Int>.Result()
      : self.attribution.attribute(self.kernel.descendants(below: roots), kernel: self.kernel)
    self.orphanSnapshot = result
    return result
  }
}
