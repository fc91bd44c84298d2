internal import Logging
internal import ProcCtl
internal import SystemPackage

/// The ledgers as a master meets them: those of its predecessors, which it deals
/// with before it starts anything, and its own.
///
/// Nothing that is the matter with them keeps a master from its work. Confined to
/// the loop's thread.
final class MasterLedger: WorkerLedger {
  private let configuration: MasterConfiguration
  private let loop: EventLoop
  private let kernel: LinuxKernel
  private let logger: Logger
  private let cgroup: FilePath?
  private var file: LedgerFile?
  private var leftovers: LeftoverStop?

  /// - Parameter cgroup: The one that holds those of the workers.
  init(
    _ configuration: MasterConfiguration, loop: EventLoop, kernel: LinuxKernel, logger: Logger,
    cgroup: FilePath?
  ) {
    self.configuration = configuration
    self.loop = loop
    self.kernel = kernel
    self.logger = logger
    self.cgroup = cgroup
  }

  /// Begins our own ledger, and ends what those of the dead lead to.
  ///
  /// - Parameters:
  ///   - entries: The workers, before any of them runs.
  ///   - announce: Called if anybody has to be ended, with the longest that can take.
  ///   - completion: Called once, at once if nothing is left.
  func begin(
    _ entries: [Ledger.Entry], announce: @escaping (Duration) -> Void, completion: @escaping () -> Void
  ) {
    let name = LedgerName(of: self.configuration.file)
    let abandoned: [LedgerDirectory.Abandoned]
    do throws(ProcessError) {
      let directory = try LedgerDirectory.own()
      let (ledgers, problems) = try directory.abandoned(by: name)
      for problem in problems { self.logger.warning("\(problem): ignored") }
      abandoned = ledgers
      self.open(entries, in: directory, name: name)
    } catch {
      self.complain("\(error)")
      return completion()
    }
    guard !abandoned.isEmpty else { return completion() }
    let leftovers = LeftoverStop(
      loop: self.loop, kernel: self.kernel, logger: self.logger, ownCgroup: self.cgroup)
    self.leftovers = leftovers
    leftovers.start(
      abandoned, of: name, definitions: self.configuration.workers,
      announce: {
        self.logger.info(
          "ending what the last run left", metadata: ["at-most": "\(LeftoverStop.longest.text)"])
        announce(LeftoverStop.longest)
      },
      completion: { [unowned self] in
        self.leftovers = nil
        completion()
      })
  }

  private func open(_ entries: [Ledger.Entry], in directory: LedgerDirectory, name: LedgerName) {
    do throws(ProcessError) {
      let ledger = Ledger(
        header: Ledger.Header(
          master: try RecordedProcess.current(kernel: self.kernel), namespace: try PidNamespace.own(),
          cgroup: self.cgroup, configuration: name.configuration), entries: entries)
      self.file = try LedgerFile(in: directory.path, name: name, ledger: ledger) {
        [unowned self] trouble in self.complain(trouble)
      }
    } catch {
      self.complain("\(error)")
    }
  }

  private func complain(_ trouble: String) {
    self.logger.warning(
      "no ledger: \(trouble); if this master is killed, the next start cannot find what it leaves")
  }

  func started(_ entry: Ledger.Entry) { self.file?.started(entry) }

  func ended(worker: String) { self.file?.ended(worker: worker) }

  /// - Parameter isClean: Whether nothing is left that the next start would have to find.
  func end(isClean: Bool) {
    do throws(ProcessError) {
      if isClean { try self.file?.remove() } else { self.file?.close() }
    } catch {
      self.logger.warning("\(error)")
    }
    self.file = nil
  }
}
