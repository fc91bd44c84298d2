internal import ProcCtl

/// Who belongs to which worker, by all the kernel tells: what hangs below the
/// worker's leader, cgroups where workers have one, and attribution among the
/// orphans this subreaper has adopted.
///
/// What is below a leader is read afresh each time and costs what there is to
/// read. The orphans are read for all workers together, and that costs a line for
/// every child we have: with thousands of workers it must not be done for each of them.
final class ProcessSets {
  /// How current a look at the orphans has to be.
  enum Currency {
    /// Nothing has come or gone since, so far as we were told. To say that nobody is left.
    case exact
    /// It may be as old as the time it took, many times over. To signal who is
    /// there: whoever was missed gets the next signal, and KILL is repeated.
    case recent
  }

  private struct OrphanLook {
    var result: Attribution<Int>.Result
    var isExact: Bool
    var goodUntil: MonotonicInstant
    /// Reaped since: their numbers are not theirs any more.
    var gone: Set<ProcessIdentifier> = []
  }

  private let kernel: any Kernel
  private let isHeld: (ProcessIdentifier) -> Bool
  private var attribution = Attribution<Int>()
  private var cgroups: [Int: Cgroup] = [:]
  /// Workers whose leader is a guard, who is no member of what it guards.
  private var guarded: Set<Int> = []
  /// Programs we have inherited from guards that were killed.
  private var programs: [ProcessIdentifier: Int] = [:]
  private var orphanLook: OrphanLook?
  /// What the last look cost, roughly; zero while that is not worth a thought.
  private var lookCost = Duration.zero

  /// How long to go without another look after one that took long. Short beside
  /// the time KILL is given: who has died of it must be seen before it is over.
  var rest: Duration { min(self.lookCost * 2, .milliseconds(100)) }

  /// - Parameter isHeld: Whether a child is a leader that is not reaped yet.
  init(kernel: any Kernel, isHeld: @escaping (ProcessIdentifier) -> Bool) {
    self.kernel = kernel
    self.isHeld = isHeld
  }

  func add(worker: Int, leader: ProcessIdentifier, cgroup: Cgroup?, isGuard: Bool = false) {
    self.attribution.add(leader: leader, owner: worker)
    self.cgroups[worker] = cgroup
    if isGuard { self.guarded.insert(worker) } else { self.guarded.remove(worker) }
  }

  /// The worker's program, our child since its guard was killed: its session is what is left to
  /// know its processes by, until it is reaped.
  func add(worker: Int, program: ProcessIdentifier) {
    self.programs[program] = worker
    self.attribution.add(leader: program, owner: worker)
  }

  func add(worker: Int, cookie: ByteString) {
    self.attribution.add(cookie: cookie, owner: worker)
  }

  /// Forgets the leader before its number can be used again.
  func remove(worker: Int, leader: ProcessIdentifier, program: ProcessIdentifier? = nil) {
    self.attribution.remove(leader: leader)
    if let program, self.programs[program] == worker {
      self.programs[program] = nil
      self.attribution.remove(leader: program)
    }
    self.guarded.remove(worker)
    self.cgroups[worker]?.remove()
    self.cgroups[worker] = nil
  }

  /// Processes have come or gone: look again.
  func invalidate() {
    self.orphanLook?.isExact = false
  }

  /// The orphan is reaped, so its number may belong to somebody else.
  func reaped(_ orphan: ProcessIdentifier) {
    self.orphanLook?.gone.insert(orphan)
    if self.programs.removeValue(forKey: orphan) != nil { self.attribution.remove(leader: orphan) }
  }

  /// Everyone of the worker who is not reaped, but for its guard, and for a leader that has
  /// ended: that one is ours to reap.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if nobody can say who is left.
  func members(
    of worker: Int, leader: ProcessIdentifier?, leaderRuns: Bool, currency: Currency
  ) throws(ProcessError) -> [ProcessStatus] {
    var members: [ProcessStatus] = []
    if leaderRuns, let leader {
      members = try self.living(below: leader, of: worker)
      self.attribution.remember(members, owner: worker)
    }
    // After the look below the leader: whoever loses a parent between the two is found here. As long as
    // a guard lives they come to it, and thousands of guards that tell need not be a look at all each.
    let comeToGuard = leaderRuns ? try self.isLivingGuard(leader, of: worker) : false
    if !comeToGuard {
      let orphans = try self.orphans(currency)
      if let found = orphans.result.members[worker] {
        let known = Set(members.map(\.processIdentifier))
        members += found.filter {
          !known.contains($0.processIdentifier) && !orphans.gone.contains($0.processIdentifier)
        }
      }
    }
    if let cgroup = self.cgroups[worker], try cgroup.isPopulated {
      let known = Set(members.map(\.processIdentifier))
      for pid in try cgroup.members() where !known.contains(pid) && (leaderRuns || pid != leader) {
        if let status = try self.kernel.status(of: pid) { members.append(status) }
      }
    }
    return members
  }

  private func isLivingGuard(
    _ leader: ProcessIdentifier?, of worker: Int
  ) throws(ProcessError) -> Bool {
    guard self.guarded.contains(worker), let leader else { return false }
    return try self.kernel.status(of: leader).map { !$0.isDead } ?? false
  }

  /// The leader and all below it. Of a guard, only what is below it, and alive: it keeps its program's
  /// zombie to the last, and that nobody is left is told by its own end. Who loses a parent there moves
  /// up to the guard, not to us.
  private func living(
    below leader: ProcessIdentifier, of worker: Int
  ) throws(ProcessError) -> [ProcessStatus] {
    guard self.guarded.contains(worker) else { return try self.kernel.descendants(below: [leader]) }
    return try self.kernel.descendants(of: leader).filter { !$0.isDead }
  }

  /// Kills the worker's cgroup at one stroke, if it has one.
  func killCgroup(of worker: Int) throws(ProcessError) {
    try self.cgroups[worker]?.kill()
  }

  /// Only what hangs below us without a leader above it. With the leader gone,
  /// the topmost of what is left of a worker is a child of ours, so this is all
  /// there is to see, and with nobody there it costs one read.
  private func orphans(_ currency: Currency) throws(ProcessError) -> OrphanLook {
    let now = self.kernel.now
    if let look = self.orphanLook, look.isExact || (currency == .recent && now < look.goodUntil) {
      return look
    }
    do throws(ProcessError) {
      return try self.lookAtOrphans(at: now)
    } catch {
      // To signal who was there, the last look will do; it says nothing of who is gone.
      if currency == .recent, let look = self.orphanLook { return look }
      throw error
    }
  }

  private func lookAtOrphans(at now: MonotonicInstant) throws(ProcessError) -> OrphanLook {
    let children = try self.kernel.children(of: self.kernel.selfIdentifier)
    let roots = children.filter { !self.isHeld($0) }
    let found = roots.isEmpty ? [] : try self.kernel.descendants(below: roots)
    let result = try self.attribution.attribute(found, kernel: self.kernel)
    self.lookCost = Self.cost(children: children.count, orphans: found.count)
    let look = OrphanLook(result: result, isExact: true, goodUntil: now.advanced(by: self.rest))
    self.orphanLook = look
    return look
  }

  /// About a microsecond for each child, which is a number in a list and a
  /// waitid(2), and ten for each orphan, whose files in /proc are read.
  private static func cost(children: Int, orphans: Int) -> Duration {
    let cost = Duration.microseconds(children + 10 * orphans)
    return cost < .milliseconds(1) ? .zero : cost
  }
}
