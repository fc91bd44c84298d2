package import ProcCtl

/// Supervises workers: carries out what their lives decide, reaps every
/// descendant, and ends when nothing is left.
///
/// A thin driver. It turns kernel facts into events for ``WorkerLife`` and its
/// effects into calls; it decides nothing about a single worker. Confined to the
/// scheduler's thread.
package final class Master {
  package enum Phase: Sendable, Equatable {
    case running
    /// Workers are being ended.
    case stopping
    /// What belongs to no worker is being ended.
    case sweeping
    case cleaning
    case ended
  }

  let timeouts: ShutdownTimeouts
  let kernel: any Kernel
  let scheduler: any Scheduler
  let network: any WorkerNetwork
  private let starter: any WorkerStarter
  let cleanups: any CleanupRunner
  let reaper: Reaper
  let sets: ProcessSets
  let workers: [WorkerRecord]
  var leaders: [ProcessIdentifier: WorkerRecord] = [:]
  package weak var observer: (any MasterObserver)?

  package internal(set) var phase = Phase.running
  private var queue: [(WorkerRecord, WorkerLife.Event)] = []
  private var isDraining = false
  private var wasReady = false
  var noChildren = false
  var sweep: Termination?
  /// Why the sweep could not tell whether somebody is left.
  var unverified: ProcessError?
  private var looksAgain = false
  var outcome = ShutdownOutcome()
  var lastStatus = ""
  var lastReport: MonotonicInstant?
  var reportTimer: TimerIdentifier?
  /// How many workers are in each state: asking a thousand of them at every event would be slow.
  var counts: [WorkerState: Int] = [:]

  package init(
    definitions: [WorkerDefinition], timeouts: ShutdownTimeouts, kernel: any Kernel,
    scheduler: any Scheduler, network: any WorkerNetwork, starter: any WorkerStarter,
    cleanups: any CleanupRunner, seed: UInt64
  ) {
    self.timeouts = timeouts
    self.kernel = kernel
    self.scheduler = scheduler
    self.network = network
    self.starter = starter
    self.cleanups = cleanups
    let reaper = Reaper(kernel: kernel)
    self.reaper = reaper
    self.sets = ProcessSets(kernel: kernel) { reaper.isHeld($0) }
    self.workers = definitions.enumerated().map { index, definition in
      WorkerRecord(
        index: index, definition: definition,
        life: WorkerLife(definition: definition, portTimeout: timeouts.ports, seed: seed &+ UInt64(index)),
        cookie: ByteString("\(definition.name):\(String(seed &+ UInt64(index), radix: 16))"))
    }
    for worker in self.workers { self.sets.add(worker: worker.index, cookie: worker.cookie) }
    self.counts[.waiting] = self.workers.count
  }

  // MARK: Commands

  /// Starts every worker, all at once.
  package func start() {
    for worker in self.workers { self.post(worker, .start) }
    self.drain()
  }

  /// Ends the worker and starts it again; false if there is none of that name or the master is stopping.
  @discardableResult
  package func restart(worker name: String) -> Bool {
    guard self.phase == .running, let worker = self.workers.first(where: { $0.definition.name == name })
    else {
      return false
    }
    self.post(worker, .restart)
    self.drain()
    return true
  }

  /// Ends everything. Once: later calls change nothing.
  package func stop(reason: String) {
    guard self.phase == .running else { return }
    self.phase = .stopping
    self.observer?.stopBegan(reason, budget: self.longestStop)
    for worker in self.workers { self.post(worker, .stop) }
    self.drain()
  }

  /// Goes on to each worker's next harder step, or ends the cleanup that runs.
  package func hurry() {
    self.push(.hurry) { $0.hurry() }
    if self.phase == .cleaning { self.cleanups.hurry() }
  }

  /// Goes straight to KILL, for workers and cleanups.
  package func kill() {
    self.push(.kill) { $0.skipToKill() }
    if self.phase == .cleaning { self.cleanups.kill() }
  }

  private func push(_ event: WorkerLife.Event, sweep: (Termination) -> Void) {
    guard self.phase != .running else { return }
    for worker in self.workers { self.post(worker, event) }
    self.drain()
    self.sweep.map(sweep)
  }

  // MARK: Facts

  /// SIGCHLD came: one or many children have ended.
  package func childrenChanged() {
    self.sets.invalidate()
    for event in self.reaper.collect() {
      switch event {
      case .leaderEnded(let pid, let status):
        guard let worker = self.leaders[pid] else { continue }
        worker.leaderRuns = false
        self.post(worker, .leaderEnded(status))
      case .orphanReaped: break
      case .noChildrenLeft: self.noChildren = true
      case .unreadable: self.lookAgainSoon()
      }
    }
    for worker in self.leaders.values where !worker.leaderRuns { self.look(at: worker) }
    self.drain()
    self.sweep?.membersChanged()
  }

  /// A worker's process says it is ready (sd_notify).
  package func notifiedReady(worker index: Int, by sender: ProcessIdentifier) {
    let worker = self.workers[index]
    self.sets.invalidate()
    guard let members = try? self.members(of: worker) else {
      // It says so once, so it must not get lost.
      _ = self.scheduler.schedule(at: self.scheduler.now.advanced(by: Master.lookAgainAfter)) {
        [unowned self, unowned worker] in
        if worker.life.state == .starting { self.notifiedReady(worker: index, by: sender) }
      }
      return
    }
    guard members.contains(where: { $0.processIdentifier == sender }) else { return }
    self.post(worker, .becameReady)
    self.drain()
  }

  /// Something in ourselves broke: remember it, and end the workers.
  package func failed(_ description: String) {
    self.outcome.internalErrors.append(description)
    self.stop(reason: "internal error: \(description)")
  }

  // MARK: Events and effects

  private func post(_ worker: WorkerRecord, _ event: WorkerLife.Event) {
    self.queue.append((worker, event))
  }

  private func drain() {
    guard !self.isDraining else { return }
    self.isDraining = true
    var position = 0
    while position < self.queue.count {
      let (worker, event) = self.queue[position]
      position += 1
      let before = worker.life.state
      let effects = worker.life.handle(event, at: self.scheduler.now)
      if worker.life.state != before {
        self.counts[before, default: 0] -= 1
        self.counts[worker.life.state, default: 0] += 1
      }
      for effect in effects { self.perform(effect, for: worker) }
    }
    self.queue.removeAll(keepingCapacity: true)
    self.isDraining = false
    self.fleetChanged()
  }

  private func perform(_ effect: WorkerLife.Effect, for worker: WorkerRecord) {
    switch effect {
    case .checkPort:
      self.post(
        worker, .portChecked(holder: worker.definition.port.flatMap { self.network.holder(ofPort: $0) }))
    case .verifyPort:
      self.post(
        worker, .portVerified(holder: worker.definition.port.flatMap { self.network.holder(ofPort: $0) }))
    case .spawn:
      self.spawn(worker)
    case .awaitReadiness:
      worker.readiness = self.network.awaitReadiness(
        of: worker.definition,
        members: { [unowned self, unowned worker] in
          self.sets.invalidate()
          return ((try? self.members(of: worker)) ?? []).map(\.processIdentifier)
        },
        whenReady: { [unowned self, unowned worker] in
          self.post(worker, .becameReady)
          self.drain()
        })
    case .endReadiness:
      worker.readiness?.cancel()
      worker.readiness = nil
    case .request(let request):
      self.send(request, to: worker)
    case .cancelRequest:
      worker.request?.cancel()
      worker.request = nil
    case .signal(let signal):
      self.send(signal, to: worker)
    case .look:
      self.look(at: worker)
    case .release:
      self.release(worker)
    case .wake(let instant):
      self.wake(worker, at: instant)
    case .entered(let state, let why):
      self.observer?.workerChanged(
        worker.definition.name, state, why, pid: worker.leader?.processIdentifier)
    }
  }

  private func spawn(_ worker: WorkerRecord) {
    do throws(ProcessError) {
      var prepared = try self.starter.command(for: worker.definition, start: worker.life.starts)
      defer { prepared.afterSpawn() }
      prepared.command.environment = prepared.command.environment.setting(
        ByteString(attributionCookieName), to: worker.cookie)
      let leader: ProcessIdentity
      do throws(ProcessError) {
        leader = try self.kernel.spawn(prepared.command)
      } catch {
        prepared.cgroup?.remove()
        throw error
      }
      prepared.cgroup?.closeProcs()
      worker.leader = leader
      worker.leaderRuns = true
      worker.lastSignal = nil
      self.leaders[leader.processIdentifier] = worker
      self.noChildren = false
      self.reaper.hold(leader.processIdentifier)
      self.sets.add(worker: worker.index, leader: leader.processIdentifier, cgroup: prepared.cgroup)
      self.post(worker, .spawned)
    } catch {
      self.post(worker, .spawnFailed(error.description))
    }
  }

  private func send(_ request: StopRequest, to worker: WorkerRecord) {
    guard let port = worker.definition.port else { return self.post(worker, .requestFailed("no port")) }
    self.note(worker, "asked by \(request.method) \(request.path)")
    let members = (self.membersInReach(of: worker) ?? []).map(\.processIdentifier)
    worker.request = self.network.send(request, toPort: port, members: members) {
      [unowned self, unowned worker] refusal in
      worker.request = nil
      if let refusal {
        self.note(worker, "\(request.method) \(request.path) failed: \(refusal)", isTrouble: true)
      }
      self.post(worker, refusal.map { .requestFailed($0) } ?? .requestAnswered)
      self.drain()
    }
  }

  private func send(_ signal: Signal, to worker: WorkerRecord) {
    // After a kill everyone may have changed; otherwise one look serves all workers.
    if signal == .kill {
      self.sets.invalidate()
      do throws(ProcessError) {
        try self.sets.killCgroup(of: worker.index)
      } catch {
        self.note(worker, "\(error)", isTrouble: true)
      }
    }
    let seen = self.membersInReach(of: worker)
    let members = seen ?? []
    if worker.lastSignal != signal, !members.isEmpty {
      self.note(worker, "\(signal) to \(members.count) \(members.count == 1 ? "process" : "processes")")
    }
    worker.lastSignal = signal
    // Unreaped, it has its group's number for itself.
    if seen == nil, let leader = worker.leader?.processIdentifier {
      _ = try? self.kernel.send(signal, toGroupOf: leader)
    }
    for (process, error) in self.kernel.send(signal, toAll: members) {
      self.note(worker, "\(error): \(process.name.printable)", isTrouble: true)
    }
  }

  private func note(_ worker: WorkerRecord, _ text: String, isTrouble: Bool = false) {
    self.observer?.workerNoted(worker.definition.name, text, isTrouble: isTrouble)
  }

  func members(of worker: WorkerRecord) throws(ProcessError) -> [ProcessStatus] {
    try self.sets.members(
      of: worker.index, leader: worker.leader?.processIdentifier, leaderRuns: worker.leaderRuns)
  }

  /// Its processes; nil if they cannot be seen now.
  private func membersInReach(of worker: WorkerRecord) -> [ProcessStatus]? {
    var failure: ProcessError?
    // What passes at once must not make a stop harder.
    for _ in 0..<3 {
      do throws(ProcessError) {
        return try self.members(of: worker)
      } catch {
        failure = error
      }
    }
    if let failure { self.note(worker, "cannot see its processes: \(failure)", isTrouble: true) }
    return nil
  }

  /// A worker whose leader still runs is not empty, without looking; nor is one
  /// that cannot be looked at. If that lasts, somebody is taken to be left.
  private func look(at worker: WorkerRecord) {
    guard !worker.leaderRuns else { return }
    do throws(ProcessError) {
      let isEmpty = try self.members(of: worker).isEmpty
      worker.blindLooks = 0
      self.post(worker, isEmpty ? .emptied : .membersChanged)
    } catch {
      if worker.blindLooks == 0 { self.note(worker, "cannot see who is left: \(error)", isTrouble: true) }
      worker.blindLooks += 1
      if worker.blindLooks > Master.blindLooksToBelieve { self.post(worker, .membersChanged) }
      self.lookAgainSoon()
    }
  }

  private static let lookAgainAfter = Duration.milliseconds(20)
  private static let blindLooksToBelieve = 25

  private func lookAgainSoon() {
    guard !self.looksAgain, self.phase != .ended else { return }
    self.looksAgain = true
    _ = self.scheduler.schedule(at: self.scheduler.now.advanced(by: Master.lookAgainAfter)) {
      [unowned self] in
      self.looksAgain = false
      if self.phase != .cleaning, self.phase != .ended { self.childrenChanged() }
    }
  }

  /// Kills whom it can, without a loop to wait with: there is no orderly way any more.
  func abandon() {
    for worker in self.workers where worker.leader != nil { try? self.sets.killCgroup(of: worker.index) }
    if let everyone = try? self.kernel.descendants(of: self.kernel.selfIdentifier) {
      self.kernel.send(.kill, toAll: everyone)
    }
    for leader in self.leaders.keys { _ = try? self.kernel.send(.kill, toGroupOf: leader) }
  }

  func release(_ worker: WorkerRecord) {
    guard let leader = worker.leader?.processIdentifier else { return }
    self.sets.remove(worker: worker.index, leader: leader)
    self.reaper.release(leader)
    self.leaders[leader] = nil
    worker.leader = nil
  }

  private func wake(_ worker: WorkerRecord, at instant: MonotonicInstant?) {
    if let timer = worker.timer { self.scheduler.cancel(timer) }
    worker.timer = instant.map { instant in
      self.scheduler.schedule(at: instant) { [unowned self, unowned worker] in
        worker.timer = nil
        self.sets.invalidate()
        self.post(worker, .timeReached)
        self.drain()
      }
    }
  }

  // MARK: The fleet

  private func fleetChanged() {
    if self.phase == .running, !self.wasReady, self.readyCount == self.workers.count {
      self.wasReady = true
      self.observer?.allReady()
    }
    self.report()
    if self.phase == .stopping, self.finalCount == self.workers.count { self.beginSweep() }
  }
}
