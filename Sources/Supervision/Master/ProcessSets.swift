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
  private var snapshot: Attribution<Int>.Result?
  private var orphanSnapshot: Attribution<Int>.Result?

  /// - Parameter isHeld: Whether a child is a leader that is not reaped yet.
  init(kernel: any Kernel, isHeld: @escaping (ProcessIdentifier) -> Bool) {
    self.kernel = kernel
    self.isHeld = isHeld
  }

  func add(worker: Int, leader: ProcessIdentifier, cgroup: Cgroup?) {
    self.attribution.add(leader: leader, owner: worker)
    self.cgroups[worker] = cgroup
    self.invalidate()
  }

  func add(worker: Int, cookie: ByteString) {
    self.attribution.add(cookie: cookie, owner: worker)
  }

  /// Forgets the leader before its number can be used again.
  func remove(worker: Int, leader: ProcessIdentifier) {
    self.attribution.remove(leader: leader)
    self.cgroups[worker]?.remove()
    self.cgroups[worker] = nil
    self.invalidate()
  }

  /// Processes have come or gone: look again.
  func invalidate() {
    self.snapshot = nil
    self.orphanSnapshot = nil
  }

  /// Everyone of the worker who is not reaped, but for a leader that has ended:
  /// that one is ours to reap.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if nobody can say who is left.
  func members(
    of worker: Int, leader: ProcessIdentifier?, leaderRuns: Bool
  ) throws(ProcessError) -> [ProcessStatus] {
    let result = leaderRuns ? try self.everybody() : try self.orphans()
    var members = (result.members[worker] ?? []).filter { leaderRuns || $0.processIdentifier != leader }
    if let cgroup = self.cgroups[worker], try cgroup.isPopulated {
      let known = Set(members.map(\.processIdentifier))
      for pid in try cgroup.members() where !known.contains(pid) {
        if let status = try self.kernel.status(of: pid) { members.append(status) }
      }
    }
    return members
  }

  /// Kills the worker's cgroup at one stroke, if it has one.
  func killCgroup(of worker: Int) throws(ProcessError) {
    try self.cgroups[worker]?.kill()
  }

  private func everybody() throws(ProcessError) -> Attribution<Int>.Result {
    if let snapshot = self.snapshot { return snapshot }
    let result = try self.attribution.attribute(
      try self.kernel.descendants(of: self.kernel.selfIdentifier), kernel: self.kernel)
    self.snapshot = result
    return result
  }

  /// Only what hangs below us without a leader above it. With the leader gone,
  /// the topmost of what is left of a worker is a child of ours, so this is all
  /// there is to see, and with nobody there it costs one read.
  private func orphans() throws(ProcessError) -> Attribution<Int>.Result {
    if let snapshot = self.snapshot ?? self.orphanSnapshot { return snapshot }
    let roots = try self.kernel.children(of: self.kernel.selfIdentifier).filter { !self.isHeld($0) }
    let result =
      roots.isEmpty
      ? Attribution<Int>.Result()
      : try self.attribution.attribute(try self.kernel.descendants(below: roots), kernel: self.kernel)
    self.orphanSnapshot = result
    return result
  }
}
