internal import CProcCtl
internal import CProcCtlChild
internal import Glibc
public import Logging
public import ProcCtl
internal import SystemPackage
public import SystemdNotify

/// Turns this process into a master: it becomes a subreaper, takes over the
/// signals, supervises the configured workers, and returns when all is over.
///
/// Use it once, on the main thread, before any other thread exists.
public final class MasterProcess {
  private let configuration: MasterConfiguration
  private let logger: Logger
  private let loop: EventLoop
  private let kernel = LinuxKernel()
  private let plan: ContainmentPlan
  private let starter: LoopStarter
  private let cleanups: OrderedCleanups
  private let resources: LoopResources
  private let master: Master
  private let signals: SignalReader
  private let service: ServiceReporter
  private let ledger: MasterLedger
  private let doors: MasterDoors
  private let desk: MasterDesk
  private let progress: TerminalProgress?
  private let recorder: MasterRecorder
  private let writing: LastWriting
  private let logFiles: MasterLogFiles?
  private let workerLogs: WorkerLogs?
  private let stopsOnHangUp: Bool
  private var outcome = ShutdownOutcome()
  /// Workers that were commanded, until they change.
  private var commanded: Set<String> = []
  private var isReady = false
  /// Who else wants to know what happens, in the order they are told.
  private var observers: [any MasterObserver] = []
  /// Called once, when every worker is ready for the first time.
  public var whenReady: (() -> Void)?
  /// Once the workers have ended and ``run()`` is about to return: how long this process may still
  /// live. After that it ends itself with the status that ``run()`` returns, whatever it hangs in. Nil,
  /// the default, for as long as it likes.
  public var exitLimit: Duration?

  /// - Parameters:
  ///   - configuration: What to run.
  ///   - logger: Where the master says what it does.
  ///   - logFiles: Those the logger writes to, if any: opened here, once we are who we shall be.
  ///   - notifier: How systemd is told; `ServiceNotifier.inactive` for not at all.
  ///   - guardProgram: The `procctl` that guards are run with.
  ///   - version: What the master says its version is.
  ///   - progress: Where a person watches a stop; nil where nobody does.
  /// - Throws: `ProcessError` if the machine refuses what the configuration asks for.
  public init(
    _ configuration: MasterConfiguration, logger: Logger, logFiles: MasterLogFiles? = nil,
    notifier: ServiceNotifier,
    guardProgram: Executable = .name("procctl"), version: String = "", progress: ProgressDisplay? = nil
  ) throws(ProcessError) {
    self.configuration = configuration
    self.logger = logger
    self.logFiles = logFiles
    let writer = logFiles?.writer ?? FileWriter()
    self.loop = try EventLoop()
    // As pid 1's child without a terminal a hang-up means "reload"; at a terminal it means the end.
    self.stopsOnHangUp = isatty(0) == 1 || isatty(2) == 1
    self.signals = try SignalReader(signals: Signal.all.filter { !MasterProcess.leftAlone.contains($0) })
    try self.kernel.verifyView()
    try Self.becomeSubreaper()
    self.doors = try MasterDoors(configuration, loop: self.loop, logger: logger)
    try Self.assumeIdentity(configuration, logFiles, logger)

    let name = LedgerName(of: configuration.file).configuration
    self.plan = try ContainmentPlan(for: configuration.workers, guardProgram: guardProgram)
    self.workerLogs = Self.workerLogs(configuration, writer, self.loop, logger)
    self.resources = LoopResources(
      directories: WorkerDirectories(configuration: name, scheduler: self.loop))
    self.starter = LoopStarter(
      plan: self.plan, logs: self.workerLogs, directories: self.resources.directories, loop: self.loop)
    self.cleanups = OrderedCleanups(
      configuration.cleanups.map(Cleanup.command), kernel: self.kernel, loop: self.loop)
    self.service = ServiceReporter(notifier: notifier, loop: self.loop, logger: logger)
    self.writing = LastWriting(writer, loop: self.loop, service: self.service, logger: logger)
    self.master = Master(
      definitions: configuration.workers, timeouts: configuration.shutdown, kernel: self.kernel,
      scheduler: self.loop, network: LoopNetwork(loop: self.loop), starter: self.starter,
      cleanups: self.cleanups, seed: UInt64.random(in: .min ... .max))
    self.desk = MasterDesk(
      self.master, context: SnapshotContext(version: version, configuration: name, began: .now),
      facts: MasterFigures(
        kernel: self.kernel, ports: Set(configuration.workers.compactMap(\.port)),
        droppedLines: { LogOutput.standardError.droppedLines + (logFiles?.lostLines ?? 0) }),
      logger: logger)
    self.progress = progress.map { [loop, master] in Self.progress(on: $0, of: master, loop) }
    self.ledger = MasterLedger(
      configuration, loop: self.loop, kernel: self.kernel, logger: logger, cgroup: self.plan.parent)
    self.recorder = MasterRecorder(
      configuration, loop: self.loop, kernel: self.kernel, logger: logger, writer: writer)
    self.observers = [self.recorder] + (self.progress.map { [$0] } ?? [])
    self.connect()
  }

  private static func becomeSubreaper() throws(ProcessError) {
    guard cprocctl_set_child_subreaper(1) == 0 else {
      throw ProcessError(.contain, doing: "become a subreaper", underlyingError: Errno(rawValue: errno))
    }
  }

  /// Root opened what it must; cgroups and logs are as whom we supervise as finds them.
  private static func assumeIdentity(
    _ configuration: MasterConfiguration, _ logFiles: MasterLogFiles?, _ logger: Logger
  ) throws(ProcessError) {
    let identity = try MasterIdentity.assume(configuration)
    try logFiles?.open()
    if let note = identity.note { logger.info("\(note)") }
  }

  private static func workerLogs(
    _ configuration: MasterConfiguration, _ writer: FileWriter, _ loop: EventLoop, _ logger: Logger
  ) -> WorkerLogs? {
    configuration.logDirectory.map { directory in
      WorkerLogs(
        directory: directory, limits: .init(size: configuration.logSize, keep: configuration.logKeep),
        workers: configuration.workers.map(\.name), writer: writer, loop: loop, logger: logger)
    }
  }

  private static func progress(
    on display: ProgressDisplay, of master: Master, _ loop: EventLoop
  ) -> TerminalProgress {
    TerminalProgress(
      on: loop, output: display.output, isColored: display.isColored,
      progress: { [unowned master] in master.stopProgress(shown: $0, clients: $1) })
  }

  /// Tells the master who does what for it, and who wants to know of it.
  private func connect() {
    let kernel = self.kernel
    self.master.observer = self
    self.master.resources = self.resources
    self.master.endsForeignHolders = self.configuration.forceForeign
    self.master.describeWait = { WaitState.describe($0, kernel: kernel) }
    self.master.lastResort = LastResort(
      workers: self.configuration.workers.count, cgroup: self.plan.parent)
    self.cleanups.whenHappened = { [unowned self] event in self.happened(event) }
  }

  /// Adds a cleanup to those of the configuration. All of them run one after another once every worker
  /// has ended, the last one added first.
  ///
  /// The body runs on a thread of its own, with all signals blocked, and may block. When its time is
  /// over it has failed, the next one begins, and the exit does not wait for it: it goes on until the
  /// process ends. An error it throws fails it too; the exit status is 6 then.
  ///
  /// Call it before ``run()``, or from the loop's thread.
  public func addCleanup(
    _ name: String, timeout: Duration = .seconds(10), body: @escaping @Sendable () throws -> Void
  ) {
    self.cleanups.add(.closure(ClosureCleanup(name: name, timeout: timeout, body: body)))
  }

  /// Supervises until told to stop, and returns the exit status that says how it went:
  /// 0 clean, 1 clients were disconnected by force, 2 a worker needed a signal beyond being asked,
  /// 3 one needed KILL, 4 a port is still held, 5 a process is left, 6 a cleanup failed, 100 and above an
  /// internal error.
  public func run() -> Int32 {
    do throws(ProcessError) {
      try self.loop.watch(self.signals.descriptor, for: .readable) { [unowned self] _ in self.readSignals() }
      self.starter.whenNotified = { [unowned self] name, notification in
        guard notification.isReady else { return }
        self.master.notifiedReady(worker: name, by: ProcessIdentifier(notification.pid))
      }
      self.logContainment()
      self.service.startWatchdog()
      if let observer = self.doors.open(to: self.desk) { self.observers.append(observer) }
      self.workerLogs?.begin()
      self.recorder.begin()
      self.endLeftoversThenStart()
      try self.loop.run()
    } catch {
      self.outlive(error)
    }
    self.progress?.end()
    self.doors.close()
    self.limitExit()
    self.master.lastResort?.end()
    let leftCgroup = self.plan.remove()
    if let leftCgroup { self.logger.warning("\(leftCgroup)") }
    // What is left, the next start has to find.
    self.ledger.end(
      isClean: self.outcome.survivors.isEmpty && self.outcome.internalErrors.isEmpty && leftCgroup == nil)
    self.writing.finish(files: self.logFiles)
    return self.outcome.exitStatus
  }

  /// The workers are to be ended all the same: by a loop without epoll, and where even that fails, by
  /// KILL and nothing else.
  private func outlive(_ error: ProcessError) {
    self.logger.critical("\(error)")
    do throws(ProcessError) {
      self.master.failed("\(error)", .eventLoop)
      // What failed may have taken more with it than we know of, so nothing is waited for that has to be told.
      self.lookAgainAndAgain()
      try self.loop.runByPolling()
    } catch {
      self.logger.critical("\(error); killing the workers")
      self.outcome = self.master.abandon(because: error)
      self.limitExit()
      self.recorder.ended(self.outcome)
      self.logger.critical(
        "stopped: \(self.outcome.summary)", metadata: ["exit": "\(self.outcome.exitStatus)"])
    }
  }

  private func lookAgainAndAgain() {
    self.readSignals(childrenChanged: true)
    _ = self.loop.schedule(at: self.loop.now.advanced(by: .milliseconds(100))) { [unowned self] in
      self.lookAgainAndAgain()
    }
  }

  private func limitExit() {
    if let limit = self.exitLimit { ExitWatchdog.arm(within: limit, status: self.outcome.exitStatus) }
  }

  /// Before any port is looked at: what the last run left may hold it.
  private func endLeftoversThenStart() {
    self.master.ledger = self.ledger
    self.ledger.begin(self.master.ledgerEntries) { longest in
      self.service.status(
        "ending what the last run left", extendingBy: longest + self.master.longestStart + .seconds(10))
    } completion: { [unowned self] in
      self.resources.directories.removeAbandoned()
      // Told to stop meanwhile, it has no use for workers.
      if self.master.phase == .running { self.master.start() }
    }
  }

  private func logContainment() {
    for line in self.plan.summary(of: self.configuration.workers) {
      self.logger.info("\(line.text)", metadata: line.metadata)
    }
  }

  // MARK: Signals

  private func readSignals(childrenChanged: Bool = false) {
    var childrenChanged = childrenChanged
    for arrival in self.signals.read() {
      switch arrival.signal {
      case .childChanged: childrenChanged = true
      case .terminate: self.stop(arrival)
      case .interrupt: self.interrupted(arrival)
      case .quit:
        self.master.stop(reason: "SIGQUIT")
        self.master.kill()
      case .hangUp:
        if self.stopsOnHangUp {
          self.stop(arrival)
        } else {
          self.logger.warning("SIGHUP: reloading is not available in this version")
        }
      case .user1: self.reopenLogs()
      // Power fails; and what a container's runtime or systemd sends to a process 1 to end it.
      case .powerFailure, .haltRequest: self.stop(arrival)
      default: self.logger.debug("ignored \(arrival.signal)")
      }
    }
    guard childrenChanged else { return }
    if self.master.phase == .cleaning {
      self.cleanups.childrenChanged()
    } else {
      self.master.childrenChanged()
    }
  }

  /// All others that end a process by default and can be caught are taken over: none may end this one and
  /// leave the workers. Faults of our own are not among them, nor what suspends a job at a terminal.
  private static let leftAlone: Set<Signal> = [
    .kill, .stop, .terminalStop, .terminalInput, .terminalOutput, .segmentationFault, .busError,
    .floatingPointError, .illegalInstruction, .badSystemCall, .abort, .trap,
  ]

  private func stop(_ arrival: SignalReader.Arrival) {
    if self.master.phase == .running {
      // The terminal's driver sends signals without a sender (SI_KERNEL, sigaction(2)).
      let sender = arrival.code > 0 ? "the terminal" : "pid \(arrival.sender)"
      self.master.stop(reason: "\(arrival.signal) from \(sender)")
    } else {
      self.logger.info("already stopping; \(arrival.signal) ignored")
    }
  }

  private func reopenLogs() {
    guard let files = self.logFiles else { return self.logger.info("SIGUSR1: there are no log files") }
    files.reopen { [loop, logger] troubles in
      // On the loop's thread, so that it is said in order.
      loop.perform {
        for trouble in troubles { logger.warning("a log goes on where it was: \(trouble)") }
        logger.info("logs reopened")
      }
    }
  }

  private func interrupted(_ arrival: SignalReader.Arrival) {
    if self.master.phase == .running { return self.stop(arrival) }
    // Only someone at a terminal presses twice.
    self.logger.info("interrupted again: going on to the next harder step")
    self.master.hurry()
  }
}

extension MasterProcess: MasterObserver {
  package func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?) {
    for observer in self.observers { observer.workerChanged(name, state, why, pid: pid) }
    let level: Logger.Level =
      switch state {
      case .failed, .blocked: .error
      // Nobody asked it to.
      case .stopping where self.commanded.contains(name): .info
      case .stopping, .backoff: self.master.phase == .running ? .warning : .info
      default: .info
      }
    self.commanded.remove(name)
    var text = "\(name) \(state)"
    if let pid { text += " (pid \(pid))" }
    if !why.isEmpty { text += ": \(why)" }
    self.logger.log(level: level, "\(text)", metadata: ["worker": "\(name)"])
  }

  package func workerNoted(_ name: String, _ note: String, isTrouble: Bool) {
    for observer in self.observers { observer.workerNoted(name, note, isTrouble: isTrouble) }
    self.logger.log(
      level: isTrouble ? .warning : .info, "\(name): \(note)", metadata: ["worker": "\(name)"])
  }

  package func allReady() {
    for observer in self.observers { observer.allReady() }
    self.isReady = true
    self.service.ready(status: self.master.status)
    self.logger.info("all workers are ready")
    self.whenReady?()
    // Starting is over; what it touched is not needed while nothing happens.
    procctl_release_clean_pages()
  }

  package func statusChanged(_ status: String, stopping: Bool) {
    for observer in self.observers { observer.statusChanged(status, stopping: stopping) }
    // While starting, systemd's patience must outlast our own with the slowest worker.
    let needed: Duration? =
      stopping ? self.master.longestStop : self.isReady ? nil : self.master.longestStart + .seconds(10)
    self.service.status(status, extendingBy: needed)
  }

  package func stopBegan(_ reason: String, budget: Duration) {
    for observer in self.observers { observer.stopBegan(reason, budget: budget) }
    self.logFiles?.beginShutdown()
    self.logger.info("stopping: \(reason)", metadata: ["at-most": "\(budget.text)"])
    self.service.stopping(extendingBy: budget)
  }

  package func happened(_ event: MasterEvent) {
    for observer in self.observers { observer.happened(event) }
    switch event {
    case .commanded(let worker, _): self.commanded.insert(worker)
    case .cleanupEnded(let name, let failure?): self.logger.warning("cleanup \(name) failed: \(failure)")
    case .cleanupEnded(let name, nil): self.logger.info("cleanup \(name) done")
    default: break
    }
  }

  package func ended(_ outcome: ShutdownOutcome) {
    self.outcome = outcome
    // From here on whatever hangs hangs for nothing.
    self.limitExit()
    for observer in self.observers { observer.ended(outcome) }
    // Whoever waits for our end may look for the record next.
    self.writing.wait()
    self.logger.log(
      level: outcome.exitStatus == 0 ? .info : .warning, "stopped: \(outcome.summary)",
      metadata: ["exit": "\(outcome.exitStatus)"])
    self.loop.stop()
  }
}
