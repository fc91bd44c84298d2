internal import CProcCtl
internal import Logging
internal import ProcCtl
internal import SystemPackage
internal import SystemdNotify

/// Keeps the account of the shutdown and the history of the workers while a master runs, and leaves both
/// on disk. Whatever cannot be written is said, and stops nothing. Confined to the loop's thread, which
/// waits for no disk once it has begun: a ``FileWriter`` writes.
final class MasterRecorder: MasterObserver {
  private let configuration: MasterConfiguration
  private let name: LedgerName
  private let loop: EventLoop
  private let kernel: any Kernel
  private let logger: Logger
  private let ports: Set<UInt16>
  private var account: ShutdownAccount
  private var lives: HistoryAccount
  private var directory: FilePath?
  private let writer: FileWriter
  private var history: WrittenHistory?
  /// What is to go into the history next.
  private var events: [WorkerEvent] = []
  /// How many did not get there, because the disk did not take more.
  private var missing = 0
  private var isFlushScheduled = false
  /// Workers that were commanded and have not got there yet.
  private var commanded: Set<String> = []

  /// A master that is killed loses no more of the history than what happened in this time.
  private static let flushPause = Duration.milliseconds(100)
  /// How long whoever asks next may be kept waiting for what is to be found then.
  private static let shortWait = Duration.milliseconds(200)
  /// No more than that is kept while nothing can be written.
  private static let mostEvents = 10_000
  /// What an event takes in memory, more or less.
  private static let eventSize = 512

  init(
    _ configuration: MasterConfiguration, loop: EventLoop, kernel: any Kernel, logger: Logger,
    writer: FileWriter
  ) {
    self.configuration = configuration
    self.name = LedgerName(of: configuration.file)
    self.loop = loop
    self.kernel = kernel
    self.logger = logger
    self.writer = writer
    let workers = configuration.workers.map { (name: $0.name, port: $0.port) }
    self.ports = Set(workers.compactMap(\.port))
    self.account = ShutdownAccount(
      configuration: self.name.configuration, master: kernel.selfIdentifier.value, workers: workers)
    self.lives = HistoryAccount(workers: workers)
  }

  /// Finds the place for both files. Without one there is no record, and all else goes on.
  func begin() {
    do throws(ProcessError) {
      let directory = try RecordDirectory.own(self.configuration)
      self.directory = directory
      self.history = WrittenHistory(
        try HistoryFile(in: directory, name: self.name) { [logger] trouble in
          logger.warning("the history of the workers has gaps: \(trouble)")
        })
      self.logger.debug("records are kept in \(directory)")
    } catch {
      self.logger.warning("no \(self.directory == nil ? "records" : "history of the workers"): \(error)")
    }
    self.add(self.masterEvent(.masterBegan))
  }

  private func masterEvent(_ kind: WorkerEvent.Kind) -> WorkerEvent {
    var event = WorkerEvent(worker: "", at: self.wallClock, kind: kind)
    event.pid = self.kernel.selfIdentifier.value
    event.boot = try? RecordedProcess.currentBoot()
    event.configuration = self.name.configuration
    return event
  }

  private var wallClock: Microseconds { Microseconds(cprocctl_wall_clock_nanoseconds() / 1000) }

  // MARK: Events

  func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?) {
    let now = self.loop.now
    self.account.workerChanged(name, state, why, pid: pid?.value, at: now)
    self.add(
      self.lives.workerChanged(name, state, why, pid: pid?.value, at: now, wallClock: self.wallClock))
    // Who commanded it asks next what came of it.
    guard state.isSettled, self.commanded.remove(name) != nil else { return }
    self.flush()
    if !self.writer.isHeldUp { _ = self.writer.drain(within: Self.shortWait) }
  }

  func stopBegan(_ reason: String, budget: Duration) {
    self.account.stopBegan(reason, budget: budget)
  }

  func happened(_ event: MasterEvent) {
    let now = self.loop.now
    let wallClock = self.wallClock
    if case .commanded(let worker, _) = event { self.commanded.insert(worker) }
    self.account.happened(event, at: now, wallClock: wallClock)
    self.add(self.lives.happened(event, at: now, wallClock: wallClock))
    guard case .phaseBegan(let phase) = event else { return }
    guard phase == .stopping else { return self.takeSnapshot(of: phase) }
    // First everybody is asked; then there is time to look.
    _ = self.loop.schedule(at: now) { [weak self] in self?.takeSnapshot(of: phase) }
  }

  private func takeSnapshot(of phase: ShutdownOrder.Phase) {
    let snapshot = SystemSnapshot.current(ports: self.ports, kernel: self.kernel)
    self.account.add(snapshot, to: phase)
    self.logger.debug("phase \(phase): \(snapshot.summary)")
  }

  func ended(_ outcome: ShutdownOutcome) {
    self.account.ended(outcome, at: self.loop.now)
    self.add(self.masterEvent(.masterEnded))
    if let history = self.history {
      self.flush(always: true)
      _ = self.writer.submit(bytes: 0, always: true) { history.close() }
    }
    self.history = nil
    guard let directory = self.directory, let record = self.account.record else { return }
    let (name, logger) = (self.name, self.logger)
    _ = self.writer.submit(bytes: 0, always: true) {
      do throws(ProcessError) {
        try RecordFile.write(record, in: directory, name: name)
      } catch {
        logger.warning("no record of this shutdown: \(error)")
      }
    }
  }

  // MARK: The history

  private func add(_ event: WorkerEvent?) {
    guard let event, self.history != nil else { return }
    if self.events.count < Self.mostEvents {
      self.events.append(event)
    } else {
      self.missing += 1
    }
    guard !self.isFlushScheduled else { return }
    self.isFlushScheduled = true
    _ = self.loop.schedule(at: self.loop.now.advanced(by: Self.flushPause)) { [weak self] in
      self?.isFlushScheduled = false
      self?.flush()
    }
  }

  /// What does not get through now is kept until the next one happens.
  private func flush(always: Bool = false) {
    guard let history = self.history, !self.events.isEmpty else { return }
    let events = self.events
    guard
      self.writer.submit(
        bytes: events.count * Self.eventSize, always: always, { history.add(events) })
    else { return }
    self.events = []
    guard self.missing > 0 else { return }
    self.logger.warning(
      "the history of the workers has gaps: \(self.missing) events, while nothing could be written")
    self.missing = 0
  }
}

/// The history's file past its opening: what it is used for are jobs of the writer, one after another,
/// which is why it can be Sendable.
private final class WrittenHistory: @unchecked Sendable {
  private let file: HistoryFile

  init(_ file: HistoryFile) { self.file = file }

  func add(_ events: [WorkerEvent]) {
    for event in events { self.file.add(event) }
    self.file.flush()
  }

  func close() { self.file.close() }
}
