internal import Logging
internal import ProcCtl
internal import SystemPackage

/// Ends what masters that are gone have left, all of it at the same time, and
/// removes their cgroups and ledgers.
///
/// Confined to the loop's thread.
final class LeftoverStop {
  private let loop: EventLoop
  private let kernel: LinuxKernel
  private let logger: Logger
  /// Ours, which is as empty as theirs and shall stay.
  private let ownCgroup: FilePath?
  private let exempt: Set<ProcessIdentity>
  private var ledgers: [Dealt] = []
  private var underWay = 0
  private var hasBegun = false
  private var completion: (() -> Void)?

  /// The longest it can take.
  static let longest = LeftoverPlan.grace + Escalation.killWait + LeftoverStop.cgroupWait
  private static let cgroupWait = Duration.seconds(2)

  /// A ledger that is being dealt with.
  private final class Dealt {
    let file: LockedFile
    let master: ProcessIdentity
    let plan: LeftoverPlan
    /// By path: one for each worker, then the one that held them.
    var cgroups: [FilePath: Cgroup] = [:]
    var hasSurvivors = false

    init(file: LockedFile, master: ProcessIdentity, plan: LeftoverPlan) {
      self.file = file
      self.master = master
      self.plan = plan
      for path in plan.remains.compactMap(\.cgroup) { self.cgroups[path] = Cgroup(existing: path) }
    }
  }

  init(loop: EventLoop, kernel: LinuxKernel, logger: Logger, ownCgroup: FilePath?) {
    self.loop = loop
    self.kernel = kernel
    self.logger = logger
    self.ownCgroup = ownCgroup
    self.exempt = kernel.ancestry()
  }

  /// - Parameters:
  ///   - announce: Called if there is anybody to end.
  ///   - completion: Called once, at once if there is nothing to do.
  func start(
    _ abandoned: [LedgerDirectory.Abandoned], of name: LedgerName, definitions: [WorkerDefinition],
    announce: () -> Void, completion: @escaping () -> Void
  ) {
    self.completion = completion
    let hierarchy = try? CgroupHierarchy.current()
    let namespace = PidNamespace.own()
    for ledger in abandoned {
      guard let header = self.believed(ledger, of: name) else { continue }
      let plan = LeftoverPlan(
        header, definitions: definitions, namespace: namespace, hierarchy: hierarchy)
      for doubt in plan.doubts { self.logger.warning("\(ledger.file.path): \(doubt): left alone") }
      self.ledgers.append(
        Dealt(file: ledger.file, master: header.header.master.identity, plan: plan))
    }
    let stops = self.ledgers.flatMap { ledger in self.stops(for: ledger).map { (ledger, $0) } }
    if stops.contains(where: { !$0.1.foreign.members().isEmpty }) { announce() }
    self.underWay = stops.count
    for (ledger, stop) in stops {
      stop.foreign.start(stop.escalation) { [self] result in self.ended(stop, of: ledger, result) }
    }
    self.hasBegun = true
    self.goOn()
  }

  /// The ledger, if it is of this configuration and of this boot; otherwise it is removed, unless it is
  /// somebody else's.
  private func believed(_ abandoned: LedgerDirectory.Abandoned, of name: LedgerName) -> Ledger? {
    let path = abandoned.file.path
    for problem in abandoned.reading.problems.prefix(5) {
      self.logger.warning("\(path): \(problem): ignored, so what the last run left may not all be found")
    }
    guard let ledger = abandoned.reading.ledger else {
      abandoned.file.remove()
      return nil
    }
    let master = ledger.header.master
    if ledger.header.configuration != name.configuration {
      self.logger.warning("\(path) is of another configuration: left alone")
      abandoned.file.close()
      return nil
    }
    if master.boot != RecordedProcess.currentBoot() {
      // Nothing of before the boot can be left.
      abandoned.file.remove()
      return nil
    }
    if ledger.header.namespace == PidNamespace.own(), master.living(kernel: self.kernel) != nil {
      self.logger.warning("\(path) is not locked, but its master, pid \(master.identity), lives: left alone")
      abandoned.file.close()
      return nil
    }
    return ledger
  }

  // MARK: Stopping

  /// All remains that are ended in the same way.
  private struct Stop {
    var foreign: ForeignStop
    var remains: [LeftoverPlan.Remains]
    var escalation: Escalation
  }

  private func stops(for ledger: Dealt) -> [Stop] {
    var batches: [(escalation: Escalation, remains: [LeftoverPlan.Remains])] = []
    for remains in ledger.plan.remains {
      if let index = batches.firstIndex(where: { $0.escalation == remains.escalation }) {
        batches[index].remains.append(remains)
      } else {
        batches.append((remains.escalation, [remains]))
      }
    }
    return batches.map { self.stop(for: $0.remains, $0.escalation, of: ledger) }
  }

  private func stop(
    for remains: [LeftoverPlan.Remains], _ escalation: Escalation, of ledger: Dealt
  ) -> Stop {
    var cgroups: [Int: Cgroup] = [:]
    var supervisors: Set<ProcessIdentity> = []
    let roots = remains.enumerated().map { index, remains in
      var root = StopSelection.Root()
      root.mark = remains.entry.map { .init(subreaper: nil, cookie: $0.cookie) }
      if let leader = remains.leader {
        root.leader = leader.processIdentifier
        root.target = leader.living(kernel: self.kernel)
        if root.target != nil, remains.entry?.leaderIsGuard == true {
          root.isSupervised = true
          supervisors.insert(leader)
        }
      }
      // In our own nobody may be killed at birth (cgroup.kill, cgroups(7)): we have our number from the dead.
      if let cgroup = remains.cgroup.flatMap({ ledger.cgroups[$0] }), cgroup.path != self.ownCgroup,
        self.isWithoutUs(cgroup)
      {
        cgroups[index] = cgroup
      }
      return root
    }
    let foreign = ForeignStop(
      loop: self.loop, parts: [ForeignStop.Part(StopSelection(roots: roots), cgroups: cgroups)],
      supervisors: supervisors, exempt: self.exempt)
    return Stop(foreign: foreign, remains: remains, escalation: escalation)
  }

  private func isWithoutUs(_ cgroup: Cgroup) -> Bool {
    let ours = Set(self.exempt.map(\.processIdentifier))
    return !cgroup.members().contains { ours.contains($0) }
  }

  private func ended(_ stop: Stop, of ledger: Dealt, _ result: StopResult) {
    let survivors = Dictionary(grouping: result.survivors) { survivor in
      stop.foreign.place(of: survivor.process.identity)?.root
    }
    if !result.survivors.isEmpty { ledger.hasSurvivors = true }
    let members = Dictionary(grouping: stop.foreign.everyone) { $0.place.root }
    for (index, remains) in stop.remains.enumerated() {
      guard let found = members[index] else { continue }
      let who = found.map { "pid \($0.process.processIdentifier) (\($0.process.name.printable))" }
      let text =
        "\(remains.name): the last run (pid \(ledger.master.processIdentifier)) left \(who.joined(separator: ", "))"
      let metadata: Logger.Metadata = remains.entry.map { ["worker": "\($0.worker)"] } ?? [:]
      if let left = survivors[index] {
        let names = left.map(\.description).joined(separator: "; ")
        self.logger.error("\(text): survived: \(names)", metadata: metadata)
      } else {
        let how = stop.foreign.lastSignals[.init(part: 0, root: index)].map { "ended by \($0)" }
        self.logger.warning("\(text): \(how ?? "ended by themselves")", metadata: metadata)
      }
    }
    self.underWay -= 1
    self.goOn()
  }

  // MARK: Afterwards

  private func goOn() {
    guard self.hasBegun, self.underWay == 0 else { return }
    // Children before parents: a longer path is never above a shorter one.
    let cgroups = self.ledgers.flatMap { $0.cgroups.values }.filter { $0.path != self.ownCgroup }
    let sorted = cgroups.sorted { $0.path.string.utf8.count > $1.path.string.utf8.count }
    let removal = CgroupRemoval(loop: self.loop)
    removal.start(sorted, limit: Self.cgroupWait) { [self, removal] left in
      withExtendedLifetime(removal) { self.finish(cgroupsLeft: left) }
    }
  }

  private func finish(cgroupsLeft: [Cgroup]) {
    let left = Set(cgroupsLeft.map(\.path))
    for path in left { self.logger.warning("the last run's cgroup \(path) cannot be removed") }
    for ledger in self.ledgers {
      if ledger.hasSurvivors || ledger.cgroups.keys.contains(where: left.contains) {
        ledger.file.close()
      } else {
        ledger.file.remove()
      }
    }
    self.ledgers = []
    let completion = self.completion
    self.completion = nil
    completion?()
  }
}
