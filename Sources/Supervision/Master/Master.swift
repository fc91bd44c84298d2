package import ProcCtl

/// Supervises workers: carries out what their lives decide, reaps every
/// descendant, and ends when nothing is left.
///
/// A thin driver. It turns kernel facts into events for ``WorkerLife`` and
/// ``ShutdownOrder`` and their effects into calls; it decides nothing itself.
/// Confined to the scheduler's thread.
package final class Master {
  let timeouts: ShutdownTimeouts
  let kernel: any Kernel
  let scheduler: any Scheduler
  let network: any WorkerNetwork
  private let starter: any WorkerStarter
  let cleanups: any CleanupRunner
  let reaper: Reaper
  let sets: ProcessSets
  let workers: [WorkerRecord]
  let workersByName: [String: WorkerRecord]
  var leaders: [ProcessIdentifier: WorkerRecord] = [:]
  /// Workers whose leader has ended and is not reaped: somebody of theirs is left.
  var leaderless: Set<Int> = []
  var nextLook = MonotonicInstant(nanoseconds: 0)
  var lookTimer: TimerIdentifier?
  package weak var observer: (any MasterObserver)?
  /// Who remembers what runs, for a master after this one.
  package var ledger: (any WorkerLedger)?
  var lastResort: LastResort?
  /// Who cleans what workers leave besides processes.
  package var resources: (any WorkerResources)?
  /// Bound sockets as seen in this step, and since the last worker was found to have ended.
  var boundSockets: UnixSockets?
  /// What of that is still there, in this stop.
  var uncleaned: [String] = []
  /// Whether who has a worker's port after its end is ended even if it is not ours.
  package var endsForeignHolders = false

  /// What keeps a process from ending, if anything is to be seen of that: `D nfs_wait`.
  package var describeWait: ((ProcessIdentifier) -> String?)?

  private var order: any ShutdownPolicy
  package var phase: ShutdownOrder.Phase { self.order.phase }
  private var queue: [(WorkerRecord, WorkerLife.Event)] = []
  private var isDraining = false
  /// Workers that are not to be started with the others; nil once those have been.
  private var heldBack: Set<Int>? = []
  private var wasReady = false
  private(set) var stopReason = ""
  private(set) var stopBegan: MonotonicInstant?
  var noChildren = false
  var sweep: Termination?
  /// Why the sweep could not tell whether somebody is left.
  var unverified: ProcessError?
  var looksAgain = false
  /// Workers of whom nobody could say at the last look whether somebody is left.
  var unseen: Set<Int> = []
  var outcome = ShutdownOutcome()
  let clientWatch: ClientWatch
  var cannotSeeClients = false
  var lastStatus = ""
  var lastReport: MonotonicInstant?
  var reportTimer: TimerIdentifier?
  /// The longest a stop can take, if everything uses all of its time.
  package private(set) lazy var longestStop = StopBudget(
    workers: self.workers.map(\.definition), timeouts: self.timeouts, cleanups: self.cleanups.longest
  ).total
  /// How many workers are in each state: asking a thousand of them at every event would be slow.
  var counts: [WorkerState: Int] = [:]

  /// - Parameters:
  ///   - life: Makes each worker's policy.
  ///   - order: Decides about the phases of the shutdown.
  package init(
    definitions: [WorkerDefinition], timeouts: ShutdownTimeouts, kernel: any Kernel,
    scheduler: any Scheduler, network: any WorkerNetwork, starter: any WorkerStarter,
    cleanups: any CleanupRunner, seed: UInt64,
    life: WorkerPolicyMaker = { Master.life(of: $0, timeouts: $1, seed: $2) },
    order: any ShutdownPolicy = ShutdownOrder()
  ) {
    self.order = order
    self.timeouts = timeouts
    self.kernel = kernel
    self.scheduler = scheduler
    self.network = network
    self.starter = starter
    self.cleanups = cleanups
    self.clientWatch = ClientWatch(scheduler: scheduler)
    let reaper = Reaper(kernel: kernel)
    self.reaper = reaper
    self.sets = ProcessSets(kernel: kernel) { reaper.isHeld($0) }
    let workers = definitions.enumerated().map { index, definition in
      WorkerRecord(
        index: index, definition: definition,
        life: life(definition, timeouts, seed &+ UInt64(index)),
        cookie: ByteString("\(definition.name):\(String(seed &+ UInt64(index), radix: 16))"))
    }
    self.workers = workers
    self.workersByName = Dictionary(workers.map { ($0.definition.name, $0) }) { first, _ in first }
    for worker in self.workers { self.sets.add(worker: worker.index, cookie: worker.cookie) }
    self.counts[.waiting] = self.workers.count
  }

  // MARK: Commands

  /// Starts every worker, all at once, but for those commanded to stop before.
  package func start() {
    let heldBack = self.heldBack ?? []
    self.heldBack = nil
    for worker in self.workers where !heldBack.contains(worker.index) { self.post(worker, .start) }
    self.drain()
  }

  /// Ends the worker and starts it again; false if there is none of that name or the master is stopping.
  @discardableResult
  package func restart(worker name: String) -> Bool { self.command(.restart, .restart, worker: name) }

  /// Ends the worker and leaves it ended until it is commanded to start;
  /// false if there is none of that name or the master is stopping.
  @discardableResult
  package func stop(worker name: String) -> Bool { self.command(.stop, .stop, worker: name) }

  /// Starts the worker, unless it runs; false if there is none of that name or the master is stopping.
  @discardableResult
  package func start(worker name: String) -> Bool { self.command(.start, .start, worker: name) }

  private func command(_ command: WorkerCommand, _ event: WorkerLife.Event, worker name: String) -> Bool {
    guard self.phase == .running, let worker = self.workersByName[name] else { return false }
    self.observer?.happened(.commanded(worker: name, command))
    if self.heldBack != nil {
      // What the last run left may be being ended: nobody is started beside it.
      guard command == .stop else {
        self.heldBack?.remove(worker.index)
        return true
      }
      self.heldBack?.insert(worker.index)
    }
    self.post(worker, event)
    self.drain()
    return true
  }

  /// Ends everything. Once: later calls change nothing.
  package func stop(reason: String) {
    guard self.phase == .running else { return }
    self.stopReason = reason
    self.stopBegan = self.scheduler.now
    self.advance(.stop)
  }

  /// Goes on to each worker's next harder step, or ends the cleanup that runs.
  package func hurry() {
    self.push(.hurry) { $0.hurry() }
    if self.phase == .cleaning { self.cleanups.hurry() }
  }

  /// Goes straight to KILL, for workers and cleanups.
  package func kill() {
    self.push(.kill) { $0.skipToKill() }
    if self.phase != .running { for worker in self.workers { worker.portStop?.skipToKill() } }
    if self.phase == .cleaning { self.cleanups.kill() }
  }

  private func push(_ event: WorkerLife.Event, sweep: (Termination) -> Void) {
    guard self.phase != .running else { return }
    for worker in self.workers {
      self.refreshClients(before: worker)
      self.post(worker, event)
    }
    self.drain()
    self.sweep.map(sweep)
  }

  // MARK: Facts

  /// Something in ourselves broke: remember it, and end the workers.
  package func failed(_ description: String, _ failure: ShutdownOutcome.InternalFailure = .any) {
    self.outcome.failed(description, failure)
    self.stop(reason: "internal error: \(description)")
  }

  // MARK: Events and effects

  func post(_ worker: WorkerRecord, _ event: WorkerLife.Event) {
    // What was looked at before may have been its own.
    switch event {
    case .emptied, .spawnFailed: self.boundSockets = nil
    default: break
    }
    self.queue.append((worker, event))
  }

  func drain() {
    guard !self.isDraining else { return }
    self.isDraining = true
    var position = 0
    while position < self.queue.count {
      let (worker, event) = self.queue[position]
      position += 1
      let before = worker.life.state
      let effects = worker.life.handle(event, at: self.scheduler.now)
      if worker.life.state != before {
        worker.since = self.scheduler.now
        self.counts[before, default: 0] -= 1
        self.counts[worker.life.state, default: 0] += 1
      }
      for effect in effects { self.perform(effect, for: worker) }
    }
    self.queue.removeAll(keepingCapacity: true)
    self.boundSockets = nil
    self.isDraining = false
    self.fleetChanged()
  }

  private func perform(_ effect: WorkerLife.Effect, for worker: WorkerRecord) {
    switch effect {
    case .checkPort:
      self.clearPort(of: worker, isOver: false)
    case .verifyPort:
      self.clearPort(of: worker, isOver: true)
    case .spawn:
      self.spawn(worker)
    case .awaitReadiness:
      worker.readiness = self.network.awaitReadiness(
        of: worker.definition,
        members: { [unowned self, unowned worker] in
          self.sets.invalidate()
          return ((try? self.members(of: worker, .recent)) ?? []).map(\.processIdentifier)
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
      self.ledger?.ended(worker: worker.definition.name)
      self.resourcesEnded(worker)
    case .lookAtClients(let instant): self.watchClients(of: worker, at: instant)
    case .clientsChanged(let count): self.clientsChanged(count, of: worker)
    case .disconnectClients: self.disconnectClients(of: worker)
    case .clientsForced(let count): self.clientsForced(count, of: worker)
    case .wake(let instant):
      self.wake(worker, at: instant)
      if let instant, [.backoff, .blocked].contains(worker.life.state) {
        self.observer?.happened(
          .willTryAgain(
            worker: worker.definition.name, after: self.scheduler.now.duration(to: instant)))
      }
    case .entered(let state, let why):
      if state == .stopping { self.resourcesStopping(worker) }
      self.observer?.workerChanged(
        worker.definition.name, state, why, pid: worker.program?.processIdentifier)
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
        prepared.workerGuard?.close()
        prepared.whenNotSpawned()
        throw error
      }
      prepared.cgroup?.closeProcs()
      worker.leader = leader
      worker.leaderRuns = true
      worker.lastSignal = nil
      worker.isAsked = false
      self.leaders[leader.processIdentifier] = worker
      self.noChildren = false
      self.reaper.hold(leader.processIdentifier)
      if prepared.workerGuard == nil {
        self.lastResort?.began(worker: worker.index, group: leader.processIdentifier)
      }
      self.sets.add(
        worker: worker.index, leader: leader.processIdentifier, cgroup: prepared.cgroup,
        isGuard: prepared.workerGuard != nil)
      worker.guardian = prepared.workerGuard.map {
        GuardedStart($0, endsWithGuard: prepared.endsWithLeader)
      }
      self.ledger?.started(worker.ledgerEntry(cgroup: prepared.cgroup?.path))
      self.post(worker, prepared.workerGuard == nil ? .spawned : .guardSpawned)
      self.listen(to: worker)
    } catch {
      self.spawnFailed(worker, error.description)
    }
  }

  func note(_ worker: WorkerRecord, _ text: String, isTrouble: Bool = false) {
    self.observer?.workerNoted(worker.definition.name, text, isTrouble: isTrouble)
  }

  func release(_ worker: WorkerRecord) {
    guard let leader = worker.leader?.processIdentifier else { return }
    self.lastResort?.over(worker: worker.index)
    self.sets.remove(
      worker: worker.index, leader: leader, program: worker.guardian?.program?.processIdentifier)
    worker.guardian?.close()
    worker.guardian = nil
    self.reaper.release(leader)
    self.leaders[leader] = nil
    self.leaderless.remove(worker.index)
    self.unseen.remove(worker.index)
    worker.blindLooks = 0
    worker.leader = nil
  }

  private func wake(_ worker: WorkerRecord, at instant: MonotonicInstant?) {
    if let timer = worker.timer { self.scheduler.cancel(timer) }
    worker.timer = instant.map { self.timer(for: worker, at: $0, isPostponed: false) }
  }

  private func timer(
    for worker: WorkerRecord, at instant: MonotonicInstant, isPostponed: Bool
  ) -> TimerIdentifier {
    self.scheduler.schedule(at: instant) { [unowned self, unowned worker] in
      // Somebody has ended and we have not looked yet: nobody is given up or killed before that.
      if self.lookTimer != nil, worker.life.state == .stopping, !isPostponed {
        worker.timer = self.timer(for: worker, at: self.nextLook, isPostponed: true)
        return
      }
      worker.timer = nil
      self.sets.invalidate()
      self.refreshClients(before: worker)
      self.post(worker, .timeReached)
      self.drain()
    }
  }

  // MARK: The fleet

  private func fleetChanged() {
    if self.phase == .running, !self.wasReady, self.readyCount == self.workers.count {
      self.wasReady = true
      self.observer?.allReady()
    }
    self.report()
    if self.phase == .stopping, self.finalCount == self.workers.count { self.advance(.workersEnded) }
  }

  // MARK: The order of the end

  func advance(_ event: ShutdownOrder.Event) {
    let before = self.phase
    let effects = self.order.handle(event)
    if self.phase != before { self.observer?.happened(.phaseBegan(self.phase)) }
    for effect in effects { self.perform(effect) }
  }

  private func perform(_ effect: ShutdownOrder.Effect) {
    switch effect {
    case .stopWorkers:
      self.observer?.stopBegan(self.stopReason, budget: self.longestStop)
      // At once, however recent the last word: whoever sees what follows finds the status true.
      self.reportNow()
      for worker in self.workers { self.post(worker, .stop) }
      self.drain()
    case .sweep: self.beginSweep()
    case .verify: self.verify()
    case .clean: self.clean()
    case .report: self.end()
    }
  }
}
