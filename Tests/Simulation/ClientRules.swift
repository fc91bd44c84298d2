internal import ProcCtl
internal import Supervision

/// What was done to the clients of each worker in its last stop, by the truth.
struct ClientRules {
  private struct Stop {
    var since: MonotonicInstant
    /// It was asked, and not found ended.
    var isAsk: Bool
    var firstSignal: Signal?
    /// When KILL was first sent: who comes later comes to somebody who cannot be ended.
    var killed: MonotonicInstant?
    /// Clients were certainly cut off by force; possibly; the master may have seen it otherwise.
    var wasForced = false
    var mayHaveBeenForced = false
  }

  /// The master's last look may be this old, and what came or went since is not in it.
  static let blindSpot = Duration.milliseconds(30)

  private let schedule: Schedule
  private let kernel: SimulatedKernel
  private var stops: [Int: Stop] = [:]

  init(schedule: Schedule, kernel: SimulatedKernel) {
    self.schedule = schedule
    self.kernel = kernel
  }

  /// A worker entered the state.
  mutating func entered(_ index: Int, _ state: WorkerState, _ why: String) {
    switch state {
    case .stopping:
      let isAsk = ["asked to stop", "stopped while starting", "not ready"].contains { why.hasPrefix($0) }
      self.stops[index] = Stop(since: self.kernel.now, isAsk: isAsk)
    // A start forgets what the last stop took.
    case .starting, .backoff, .blocked: self.stops[index] = nil
    default: break
    }
  }

  /// The master is about to stop: what earlier stops took is no matter of this one.
  mutating func masterStops(_ states: [WorkerState]) {
    for (index, state) in states.enumerated() where state != .stopping && state != .failed {
      self.stops[index] = nil
    }
  }

  /// How long clients have had, of a worker that was asked to stop; nil if it was not.
  func patience(of index: Int) -> Duration? {
    self.stops[index].flatMap { $0.isAsk ? $0.since.duration(to: self.kernel.now) : nil }
  }

  func wasKilled(_ index: Int) -> Bool { self.stops[index]?.killed != nil }

  mutating func disconnected(_ index: Int) {
    self.stops[index]?.wasForced = true
    self.stops[index]?.mayHaveBeenForced = true
  }

  mutating func signalled(_ index: Int, by signal: Signal) {
    guard signal != .continue, var stop = self.stops[index], stop.isAsk else { return }
    // To all of its processes at the same moment.
    if let killed = stop.killed, killed < self.kernel.now { return }
    defer { self.stops[index] = stop }
    if signal == .kill { stop.killed = self.kernel.now }
    let isFirst = stop.firstSignal == nil
    if isFirst { stop.firstSignal = signal }
    guard let port = self.schedule.definitions[index].port else { return }
    let clients = self.kernel.clients.connected(on: port)
    let now = self.kernel.now
    let last = self.kernel.clients.lastChange[port]
    let isBlurred = last.map { $0.duration(to: now) <= Self.blindSpot } ?? false
    if !clients.isEmpty || isBlurred || self.schedule.faults.tableFailures > 0 {
      stop.mayHaveBeenForced = true
    }
    var hasRequest = false
    if case .request? = self.schedule.definitions[index].stop.first { hasRequest = true }
    let isHarder = hasRequest || (!isFirst && signal != stop.firstSignal)
    // It must have been seen: not so who hides, nor who is killed as soon as the stop begins.
    let isSeen = clients.contains { $0.server.cookie != nil } && stop.since.duration(to: now) > Self.blindSpot
    if isHarder, isSeen, !isBlurred, self.schedule.faults.tableFailures == 0 { stop.wasForced = true }
  }

  var wasForced: Bool { self.stops.values.contains { $0.wasForced } }
  var mayHaveBeenForced: Bool { self.stops.values.contains { $0.mayHaveBeenForced } }

  /// Clients that came no later than this and are there still.
  func overdue(on port: UInt16, since instant: MonotonicInstant) -> Int {
    self.kernel.clients.connected(on: port).count { $0.since <= instant && $0.server.cookie != nil }
  }
}
