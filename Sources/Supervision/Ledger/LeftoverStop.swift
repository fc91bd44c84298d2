internal import CProcCtl
internal import Glibc
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
  private let mayBeMisled: Bool
  /// We, and those above us.
  private var exempt: Set<ProcessIdentity> = []
  private var ledgers: [Dealt] = []
  private var underWay = 0
  private var hasBegun = false
  /// What is looked for once the workers' remains are gone: a master's cgroup has theirs below it.
  private var rests: [(ledger: Dealt, stop: Stop)] = []
  /// Who is named already, and would be found there again.
  private var survivors: Set<ProcessIdentity> = []
  private var completion: (() -> Void)?

  /// The longest it can take.
  static let longest = (LeftoverPlan.grace + Escalation.longestKillWait) * 2 + LeftoverStop.cgroupWait
  private static let cgroupWait = Duration.seconds(2)

  /// A ledger that is being dealt with.
  private final class Dealt {
    let file: LockedFile
    let master: ProcessIdentity
    let plan: LeftoverPlan
    /// By path: one for each worker, then the one that held them.
    var cgroups: [FilePath: Cgroup] = [:]
    var hasSurvivors = false

    init(file: LockedFile, master: ProcessIdentity, plan: LeftoverPlan) throws(ProcessError) {
      self.file = file
      self.master = master
      self.plan = plan
      for path in plan.remains.compactMap(\.cgroup) { self.cgroups[path] = try Cgroup(existing: path) }
    }
  }

  init(loop: EventLoop, kernel: LinuxKernel, logger: Logger, ownCgroup: FilePath?) {
    self.loop = loop
    self.kernel = kernel
    self.logger = logger
    self.ownCgroup = ownCgroup
    let held = try? HeldCapabilities.current().effective
    self.mayBeMisled = geteuid() != 0 && held?.contains(.kill) != false
  }

  /// How long it looks again before what cannot be looked at is left alone.
  private static let patience = Duration.milliseconds(500)
  private static let lookAgainAfter = Duration.milliseconds(20)

  /// What is to be done about a ledger.
  private enum Verdict {
    case end(Dealt, [Stop])
    /// Nothing of it can be left.
    case remove
    case leave(why: String)
  }

  /// - Parameters:
  ///   - announce: Called if there is anybody to end.
  ///   - completion: Called once, at once if there is nothing to do.
  func start(
    _ abandoned: [LedgerDirectory.Abandoned], of name: LedgerName, definitions: [WorkerDefinition],
    announce: @escaping () -> Void, completion: @escaping () -> Void
  ) {
    self.completion = completion
    for ledger in abandoned {
      for problem in ledger.reading.problems.prefix(5) {
        self.logger.warning(
          "\(ledger.file.path): \(problem): ignored, so what the last run left may not all be found")
      }
    }
    self.look(
      at: abandoned, of: name, definitions: definitions, announce: announce,
      until: self.loop.now.advanced(by: Self.patience))
  }

  /// Finds out all there is to know before anything is done, and again where it cannot.
  private func look(
    at abandoned: [LedgerDirectory.Abandoned], of name: LedgerName, definitions: [WorkerDefinition],
    announce: @escaping () -> Void, until deadline: MonotonicInstant
  ) {
    do throws(ProcessError) {
      self.exempt = try self.kernel.ancestry()
      var verdicts: [Verdict] = []
      var isAnybodyLeft = false
      for ledger in abandoned {
        let verdict = try self.verdict(on: ledger, of: name, definitions: definitions)
        verdicts.append(verdict)
        guard case .end(_, let stops) = verdict else { continue }
        for stop in stops where !isAnybodyLeft { isAnybodyLeft = !(try stop.foreign.members().isEmpty) }
      }
      if isAnybodyLeft { announce() }
      self.begin(Array(zip(abandoned.map(\.file), verdicts)))
    } catch {
      if self.loop.now < deadline {
        _ = self.loop.schedule(at: self.loop.now.advanced(by: Self.lookAgainAfter)) { [self] in
          self.look(at: abandoned, of: name, definitions: definitions, announce: announce, until: deadline)
        }
        return
      }
      self.logger.warning("cannot find out what the last run left: \(error): left alone")
      for ledger in abandoned { ledger.file.close() }
      self.complete()
    }
  }

  private func begin(_ ledgers: [(file: LockedFile, verdict: Verdict)]) {
    var stops: [(Dealt, Stop)] = []
    for (file, verdict) in ledgers {
      switch verdict {
      case .remove: self.remove(file)
      case .leave(let why):
        self.logger.warning("\(file.path) \(why): left alone")
        file.close()
      case .end(let ledger, let itsStops):
        for doubt in ledger.plan.doubts { self.logger.warning("\(file.path): \(doubt): left alone") }
        self.ledgers.append(ledger)
        stops += itsStops.map { (ledger, $0) }
      }
    }
    self.rests = stops.filter { $0.1.isRest }
    self.run(stops.filter { !$0.1.isRest })
  }

  private func run(_ stops: [(ledger: Dealt, stop: Stop)]) {
    self.hasBegun = false
    self.underWay = stops.count
    for (ledger, stop) in stops {
      stop.foreign.start(stop.escalation) { [self] result in self.ended(stop, of: ledger, result) }
    }
    self.hasBegun = true
    self.goOn()
  }

  private func beginRests() {
    var stops: [(ledger: Dealt, stop: Stop)] = []
    for (ledger, rest) in self.rests {
      do throws(ProcessError) {
        // Looked for anew: what was found before the workers' remains were ended includes them.
        stops.append((ledger, try self.stop(for: rest.remains, rest.escalation, of: ledger)))
      } catch {
        ledger.hasSurvivors = true
        self.logger.error("cannot find out what the last run left in \(ledger.plan.cgroup ?? ""): \(error)")
      }
    }
    self.rests = []
    self.run(stops)
  }

  /// Only a ledger of this configuration and of this boot is believed.
  private func verdict(
    on abandoned: LedgerDirectory.Abandoned, of name: LedgerName, definitions: [WorkerDefinition]
  ) throws(ProcessError) -> Verdict {
    guard let ledger = abandoned.reading.ledger else { return .remove }
    let master = ledger.header.master
    if ledger.header.configuration != name.configuration { return .leave(why: "is of another configuration") }
    // Nothing of before the boot can be left.
    if master.boot != (try RecordedProcess.currentBoot()) { return .remove }
    let namespace = try PidNamespace.own()
    if ledger.header.namespace == namespace, try master.living(kernel: self.kernel) != nil {
      return .leave(why: "is not locked, but its master, pid \(master.identity), lives")
    }
    let plan = LeftoverPlan(
      ledger, definitions: definitions, namespace: namespace, hierarchy: try CgroupHierarchy.ofThisMachine())
    let dealt = try Dealt(file: abandoned.file, master: master.identity, plan: plan)
    return .end(dealt, try self.stops(for: dealt))
  }

  private func remove(_ file: LockedFile) {
    do throws(Errno) {
      try file.remove()
    } catch {
      self.logger.warning("\(file.path) cannot be removed: \(error)")
    }
  }

  // MARK: Stopping

  /// All remains that are ended in the same way.
  private struct Stop {
    var foreign: ForeignStop
    var remains: [LeftoverPlan.Remains]
    var escalation: Escalation

    /// Whether it is for what belongs to no worker.
    var isRest: Bool { self.remains.allSatisfy { $0.entry == nil } }
  }

  private func stops(for ledger: Dealt) throws(ProcessError) -> [Stop] {
    var batches: [(escalation: Escalation, remains: [LeftoverPlan.Remains])] = []
    for remains in ledger.plan.remains {
      if let index = batches.firstIndex(where: {
        $0.escalation == remains.escalation
          && $0.remains.allSatisfy { ($0.entry == nil) == (remains.entry == nil) }
      }) {
        batches[index].remains.append(remains)
      } else {
        batches.append((remains.escalation, [remains]))
      }
    }
    var stops: [Stop] = []
    for batch in batches { stops.append(try self.stop(for: batch.remains, batch.escalation, of: ledger)) }
    return stops
  }

  private func stop(
    for remains: [LeftoverPlan.Remains], _ escalation: Escalation, of ledger: Dealt
  ) throws(ProcessError) -> Stop {
    var cgroups: [Int: Cgroup] = [:]
    var supervisors: Set<ProcessIdentity> = []
    var roots: [StopSelection.Root] = []
    for (index, remains) in remains.enumerated() {
      var root = StopSelection.Root()
      root.mark = remains.entry.map { .init(subreaper: nil, cookie: $0.cookie) }
      if let leader = remains.leader {
        root.leader = leader.processIdentifier
        root.target = try self.believed(leader.living(kernel: self.kernel), of: remains.entry)
        if root.target != nil, remains.entry?.leaderIsGuard == true {
          root.isSupervised = true
          supervisors.insert(leader)
        }
      }
      // In our own nobody may be killed at birth (cgroup.kill, cgroups(7)): we have our number from the dead.
      if !self.mayBeMisled, let cgroup = remains.cgroup.flatMap({ ledger.cgroups[$0] }),
        cgroup.path != self.ownCgroup,
        try self.isWithoutUs(cgroup)
      {
        cgroups[index] = cgroup
      }
      roots.append(root)
    }
    let foreign = ForeignStop(
      loop: self.loop, parts: [ForeignStop.Part(StopSelection(roots: roots), cgroups: cgroups)],
      supervisors: supervisors, exempt: self.exempt.union(self.survivors))
    return Stop(foreign: foreign, remains: remains, escalation: escalation)
  }

  /// A master that gave up root keeps the right to signal others, and its ledger is a file that its
  /// user's other processes can write, workers among them. A number alone must not be believed there.
  private func believed(
    _ leader: ProcessStatus?, of entry: Ledger.Entry?
  ) throws(ProcessError) -> ProcessStatus? {
    guard let leader, let entry, self.mayBeMisled else { return leader }
    return try self.kernel.cookie(of: leader.processIdentifier) == entry.cookie ? leader : nil
  }

  private func isWithoutUs(_ cgroup: Cgroup) throws(ProcessError) -> Bool {
    let ours = Set(self.exempt.map(\.processIdentifier))
    return !(try cgroup.members()).contains { ours.contains($0) }
  }

  private func ended(_ stop: Stop, of ledger: Dealt, _ result: StopResult) {
    let survivors = Dictionary(grouping: result.survivors) { survivor in
      stop.foreign.place(of: survivor.process.identity)?.root
    }
    // Who cannot be looked for may be left.
    if !result.isEmpty { ledger.hasSurvivors = true }
    self.survivors.formUnion(result.survivors.map(\.process.identity))
    if let error = result.unverified {
      self.logger.error("cannot find out whether what the last run left has ended: \(error)")
    }
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
    guard self.rests.isEmpty else { return self.beginRests() }
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
        self.remove(ledger.file)
      }
    }
    self.ledgers = []
    self.complete()
  }

  private func complete() {
    let completion = self.completion
    self.completion = nil
    completion?()
  }
}
