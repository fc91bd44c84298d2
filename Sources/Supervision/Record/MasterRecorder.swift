internal import CProcCtl
internal import Logging
internal import ProcCtl
internal import SystemPackage

/// Keeps the account of the shutdown and the history of the workers while a master runs, and leaves both
/// on disk. Whatever cannot be written is said, and stops nothing. Confined to the loop's thread.
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
  private var history: HistoryFile?
  private var isFlushScheduled = false
  /// Workers that were commanded and have not got there yet.
  private var commanded: Set<String> = []

  /// A master that is killed loses no more of the history than what happened in this time.
  private static let flushPause = Duration.milliseconds(100)

  init(_ configuration: MasterConfiguration, loop: EventLoop, kernel: any Kernel, logger: Logger) {
    self.configuration = configuration
    self.name = LedgerName(of: configuration.file)
    self.loop = loop
    self.kernel = kernel
    self.logger = logger
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
      self.history = try HistoryFile(in: directory, name: self.name) { [logger] trouble in
        logger.warning("the history of the workers has gaps: \(trouble)")
      }
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
    self.history?.flush()
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
    self.history?.close()
    self.history = nil
    guard let directory = self.directory, let record = self.account.record else { return }
    do throws(ProcessError) {
      try RecordFile.write(record, in: directory, name: self.name)
    } catch {
      self.logger.warning("no record of this shutdown: \(error)")
    }
  }

  // MARK: The history

  private func add(_ event: WorkerEvent?) {
    guard let event, let history = self.history else { return }
    history.add(event)
    guard !self.isFlushScheduled else { return }
    self.isFlushScheduled = true
    _ = self.loop.schedule(at: self.loop.now.advanced(by: Self.flushPause)) { [weak self] in
      self?.isFlushScheduled = false
      self?.history?.flush()
    }
  }
}
