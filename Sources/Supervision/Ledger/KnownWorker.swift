package import ProcCtl
internal import SystemPackage

/// A worker of a master, living or gone, as another process finds it: in the
/// ledgers of the runtime directory.
package struct KnownWorker: Sendable {
  package let name: String
  /// The configuration of its master.
  package let configuration: String
  package let master: ProcessIdentity
  package let masterLives: Bool
  private let ledger: FilePath
  private let remains: LeftoverPlan.Remains
  /// Whether the numbers of its master and its processes are those of our pid namespace.
  private let isHere: Bool

  /// Of all masters of this boot whose ledgers can be read; those that do not run too.
  ///
  /// - Throws: `ProcessError` if what is there cannot be read: then a worker may be unknown.
  package static func all(kernel: any Kernel) throws(ProcessError) -> [KnownWorker] {
    var ledgers: [(path: FilePath, ledger: Ledger)] = []
    for directory in try LedgerDirectory.existing() { ledgers += try directory.ledgers() }
    if ledgers.isEmpty { return [] }
    let hierarchy = try CgroupHierarchy.ofThisMachine()
    let namespace = try PidNamespace.own()
    let boot = try RecordedProcess.currentBoot()
    var workers: [KnownWorker] = []
    for (path, ledger) in ledgers where ledger.header.master.boot == boot {
      let plan = LeftoverPlan(ledger, definitions: [], namespace: namespace, hierarchy: hierarchy)
      let isHere = ledger.header.namespace == namespace
      let lives = isHere ? try ledger.header.master.living(kernel: kernel) != nil : false
      for remains in plan.remains {
        guard let entry = remains.entry else { continue }
        workers.append(
          KnownWorker(
            name: entry.worker, configuration: ledger.header.configuration,
            master: ledger.header.master.identity, masterLives: lives, ledger: path, remains: remains,
            isHere: isHere))
      }
    }
    return workers
  }

  /// Its first process, if that runs.
  package func leader(kernel: any Kernel) throws(ProcessError) -> ProcessStatus? {
    try self.remains.leader?.living(kernel: kernel)
  }

  /// The guard that ends it when asked to stop, if it has one that runs.
  package func supervisor(kernel: any Kernel) throws(ProcessError) -> ProcessIdentity? {
    self.remains.entry?.leaderIsGuard == true ? try self.leader(kernel: kernel)?.identity : nil
  }

  package static func == (left: KnownWorker, right: KnownWorker) -> Bool {
    left.ledger == right.ledger && left.name == right.name
  }

  /// How a person tells it from others of its name.
  package var description: String {
    let state = self.masterLives ? "" : ", whose master is gone"
    return "@\(self.master.processIdentifier)/\(self.name) of \(self.configuration)\(state)"
  }

  // MARK: Who belongs to it

  /// All that belongs to this start of it. A master starts a worker again only when nobody is left
  /// of the start before, and writes that down first: what carries its marks after that is the next
  /// one's and none of ours.
  package func part(kernel: any Kernel) throws(ProcessError) -> ForeignStop.Part {
    var root = StopSelection.Root()
    root.mark = self.remains.entry.map { .init(subreaper: nil, cookie: $0.cookie) }
    root.leader = self.remains.leader?.processIdentifier
    root.target = try self.leader(kernel: kernel)
    root.isSupervised = try self.supervisor(kernel: kernel) != nil
    var cgroups: [Int: Cgroup] = [:]
    cgroups[0] = try self.cgroup()
    let worker = self
    let standing: (() throws(ProcessError) -> ForeignStop.Standing)? =
      self.hasStarted ? { () throws(ProcessError) in try worker.standing(kernel: kernel) } : nil
    return ForeignStop.Part(StopSelection(roots: [root]), cgroups: cgroups, standing: standing)
  }

  /// Whose its marks are: of this start, or of the next one.
  ///
  /// A master removes its ledger when nothing is left, and then nobody carries the marks. If somebody
  /// else has removed it, a master that lives may have started the worker again.
  private func standing(kernel: any Kernel) throws(ProcessError) -> ForeignStop.Standing {
    if let ledger = try LedgerDirectory.read(self.ledger) {
      return ledger[self.name]?.leader == self.remains.entry?.leader ? .goesOn : .over
    }
    if try self.leader(kernel: kernel) != nil { return .goesOn }
    let master = self.isHere ? try kernel.status(of: self.master.processIdentifier) : nil
    // Then nobody starts it again under these marks.
    if self.isHere, master?.identity != self.master || master?.isDead == true { return .goesOn }
    return .unknown(
      ProcessError(
        .runtimeDirectory,
        doing: "tell whether worker \(self.name) was started again: its master "
          + "(pid \(self.master.processIdentifier)) runs, and its ledger is gone, \(self.ledger)"))
  }

  private func cgroup() throws(ProcessError) -> Cgroup? {
    guard let path = self.remains.cgroup else { return nil }
    return try Cgroup(existing: path)
  }

  /// Whether its start has been written down: before, it cannot be told from the next one.
  package var hasStarted: Bool { self.remains.entry?.leader != nil }

  /// Whether the process is one of it.
  package func includes(_ process: ProcessStatus, kernel: any Kernel) throws(ProcessError) -> Bool {
    if let leader = try self.leader(kernel: kernel) {
      if process.identity == leader.identity || process.session == leader.processIdentifier { return true }
    }
    if let cookie = self.remains.entry?.cookie, try kernel.cookie(of: process.processIdentifier) == cookie {
      return true
    }
    return try self.cgroup()?.members().contains(process.processIdentifier) ?? false
  }

  // MARK: Names

  /// What stands behind the `@` on a command line.
  package struct Selector: Sendable, Equatable {
    package var worker: String
    /// The number of a master, or the end of its configuration's path; nil for any.
    package var master: String?

    /// As it is written, in a line of ours.
    package var text: String {
      PrintableText.escaping(((self.master.map { $0 + "/" } ?? "") + self.worker).utf8)
    }

    /// `WORKER`, `PID/WORKER` or `CONFIG/WORKER`; nil if it names nothing.
    package init?(_ text: Substring) {
      let slash = text.lastIndex(of: "/")
      self.worker = String(slash.map { text[text.index(after: $0)...] } ?? text)
      self.master = slash.map { String(text[..<$0]) }
      if self.worker.isEmpty || self.master?.isEmpty == true { return nil }
    }

    package func matches(_ worker: KnownWorker) -> Bool {
      worker.name == self.worker
        && self.matches(
          master: worker.master.processIdentifier.value, configuration: worker.configuration)
    }

    /// Whether the master is meant.
    package func matches(master number: Int32, configuration: String) -> Bool {
      guard let master = self.master else { return true }
      return Int32(master) == number || Self.matches(master, configuration: configuration)
    }

    /// `web.toml` and `procctl/web.toml` are `/etc/procctl/web.toml`, and `eb.toml` is not.
    package static func matches(_ text: String, configuration: String) -> Bool {
      text == configuration || (!text.hasPrefix("/") && configuration.hasSuffix("/" + text))
    }
  }
}
