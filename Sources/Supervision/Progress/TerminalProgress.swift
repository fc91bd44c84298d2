internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemdNotify

/// Shows a stop at the terminal that the log goes to, as long as it takes: the log goes on above, and so does
/// what workers write there.
///
/// The log has a way to the terminal that does not wait for one whose output is held (Ctrl-S). Where it has
/// none, nothing is shown. Confined to the loop's thread.
final class TerminalProgress: MasterObserver {
  /// What stays the same is not drawn more often than the eye wants.
  private static let interval = Duration.milliseconds(100)

  private let loop: EventLoop
  private let output: LogOutput
  private let isColored: Bool
  private let progress: (_ shown: (Int) -> Int, _ clients: [String: Int]) -> StopProgress?
  private var timer: TimerIdentifier?
  private var clients: [String: Int] = [:]
  private var rows = 24

  /// - Parameter progress: How the stop stands, with so many workers as the function says for those left.
  init(
    on loop: EventLoop, output: LogOutput, isColored: Bool,
    progress: @escaping (_ shown: (Int) -> Int, _ clients: [String: Int]) -> StopProgress?
  ) {
    self.loop = loop
    self.output = output
    self.isColored = isColored
    self.progress = progress
  }

  func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?) {}

  func happened(_ event: MasterEvent) {
    if case .clientsChanged(let worker, let connected) = event { self.clients[worker] = connected }
  }

  func stopBegan(_ reason: String, budget: Duration) {
    if self.output.neverWaits { self.schedule() }
  }

  func ended(_ outcome: ShutdownOutcome) { self.end() }

  /// Takes everything away and leaves the terminal as it was.
  func end() {
    if let timer = self.timer { self.loop.cancel(timer) }
    self.timer = nil
    self.output.show(footer: [], rows: self.rows)
  }

  /// The first time after a while: a stop that is over by then has nothing to show.
  private func schedule() {
    self.timer = self.loop.schedule(at: self.loop.now.advanced(by: Self.interval)) { [unowned self] in
      self.draw()
      self.schedule()
    }
  }

  private func draw() {
    var (columns, rows): (Int32, Int32) = (0, 0)
    // Asked each time: it may have been resized.
    guard cprocctl_window_size(STDERR_FILENO, &columns, &rows) == 0 else { return }
    // A terminal that does not know its size has the usual one.
    self.rows = rows > 0 ? Int(rows) : 24
    let layout = StopProgressLayout(
      columns: columns > 0 ? Int(columns) : 80, rows: self.rows, isColored: self.isColored)
    let progress = self.progress({ layout.shownWorkers(of: $0) }, self.clients)
    self.output.show(footer: progress.map { layout.lines(for: $0) } ?? [], rows: self.rows)
  }
}

extension Master {
  /// What a person is shown of the stop; nil unless one is going on.
  func stopProgress(shown: (Int) -> Int, clients: [String: Int]) -> StopProgress? {
    guard self.phase != .running, self.phase != .ended, let began = self.stopBegan else { return nil }
    let now = self.scheduler.now
    let total = self.workers.count
    let left = self.workers.lazy.filter { !$0.life.state.isFinal }
    let workers = left.prefix(shown(total - self.finalCount)).map { worker in
      StopProgress.Worker(
        name: worker.definition.name, state: "\(worker.life.state)",
        elapsed: worker.since?.duration(to: now) ?? .zero, step: worker.step,
        pid: worker.program?.processIdentifier.value, clients: clients[worker.definition.name])
    }
    return StopProgress(
      status: self.status, stopped: self.finalCount, total: total, elapsed: began.duration(to: now),
      budget: self.longestStop, workers: Array(workers))
  }
}
