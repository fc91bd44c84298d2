internal import ProcCtl
internal import Supervision

/// Watches a run from outside: what the master says against what is true.
final class RuleKeeper: MasterObserver {
  /// What the master has said of a worker, and what it owes.
  private struct View {
    var state = WorkerState.waiting
    var isToStayStopped = false
    var stoppingSince: MonotonicInstant?
    var ranOnce = false
    var deadline: TimerIdentifier?
  }

  /// How long a port may take to be free after the end of its worker.
  static let portTimeout = Duration.seconds(3)

  /// What SIGCHLD, the rests between looks and deaths by KILL may add to any deadline.
  private static let slack = Duration.milliseconds(500)

  private let schedule: Schedule
  private let kernel: SimulatedKernel
  private let master: Master
  private var views: [View]
  private var clients: ClientRules
  private var isStopped = false
  private var stopsBegun = 0
  private var isStopTold = true
  private var survivors = 0
  private var heldPorts = 0...0
  private var outcomes: [ShutdownOutcome] = []
  private(set) var violations: [Violation] = []
  /// Somebody was impatient: graces are cut short.
  var isHurried = false

  init(schedule: Schedule, kernel: SimulatedKernel, master: Master) {
    self.schedule = schedule
    self.kernel = kernel
    self.master = master
    self.views = Array(repeating: View(), count: schedule.definitions.count)
    self.clients = ClientRules(schedule: schedule, kernel: kernel)
    kernel.clients.whenDisconnecting = { [unowned self] in self.disconnecting($0, $1) }
    kernel.whenSpawning = { [unowned self] in self.starting($0) }
    kernel.whenSignalled = { [unowned self] in self.signalled($1, by: $0) }
    kernel.whenProgramEnded = { [unowned self] in self.programEnded($0) }
    kernel.whenViolated = { [unowned self] in self.violated($0, $1, $2) }
  }

  var hasEnded: Bool { !self.outcomes.isEmpty }

  func violated(_ rule: Rule, _ worker: Int?, _ detail: String) {
    self.violations.append(
      Violation(rule: rule, time: self.kernel.time.elapsed, worker: worker, detail: detail))
    self.kernel.note(worker, "BROKEN RULE: \(rule.rawValue): \(detail)")
  }

  // MARK: Commands

  func commanded(_ index: Int, toStop: Bool) {
    self.views[index].isToStayStopped = toStop
  }

  func masterCommandedToStop() {
    guard !self.isStopped else { return }
    self.isStopped = true
    self.clients.masterStops(self.views.map(\.state))
    let longest = self.master.longestStop + .seconds(1)
    self.kernel.time.after(longest) { [unowned self] in
      if self.outcomes.isEmpty {
        self.violated(.deadlinesAreKept, nil, "still stopping after \(longest.text)")
      }
    }
  }

  // MARK: After every step

  /// All that can have changed in this step.
  func check() {
    for index in self.kernel.touched.sorted() where self.views[index].state == .stopped {
      self.checkStopped(index)
    }
    self.kernel.touched.removeAll(keepingCapacity: true)
    for process in self.kernel.unseen {
      self.violated(
        .signalsAreSeen, process.owner, "\(process.identity) is stopped, was sent a signal and not continued")
    }
    self.kernel.forgetUnseen()
  }

  private func checkStopped(_ index: Int) {
    let living = self.kernel.living(of: index)
    // Whoever hid their origin is found at the end, not before.
    if let left = living.first(where: { $0.cookie != nil }) {
      self.violated(.stoppedMeansEmpty, index, "is called stopped while \(left.identity) lives")
    }
    if let port = self.schedule.definitions[index].port,
      let holder = self.kernel.ports.listener(on: port), holder.cookie != nil
    {
      self.violated(.stoppedMeansEmpty, index, "is called stopped while \(holder.identity) has its port")
    }
  }

  // MARK: What the master does

  private func starting(_ index: Int) {
    let definition = self.schedule.definitions[index]
    if self.isStopped { self.violated(.noStartAfterStop, index, "starts after the master's stop") }
    if self.views[index].isToStayStopped {
      self.violated(.stopIsKept, index, "starts although it was commanded to stop")
    }
    if let left = self.kernel.living(of: index).first(where: { $0.cookie != nil }) {
      self.violated(.startsAlone, index, "starts while \(left.identity) of its former self lives")
    }
    if let port = definition.port, let holder = self.kernel.ports.holder(of: port) {
      self.violated(.startsAlone, index, "starts while port \(port) is held by \(holder)")
    }
    self.views[index].ranOnce = true
  }

  private func signalled(_ process: SimulatedProcess, by signal: Signal) {
    let view = self.views[process.owner]
    if !self.isStopTold {
      self.violated(
        .stopIsToldFirst, process.owner, "\(signal) to \(process.identity), and the status is old")
    }
    // From the sweep on, everybody who is left is ended.
    guard self.master.phase == .running || self.master.phase == .stopping else { return }
    // Unmarked, it was not known to be one of the worker; now it keeps its port from it.
    if process.cookie == nil, process.port != nil, view.state != .starting, view.state != .ready {
      if view.state == .stopping { self.clients.signalled(process.owner, by: signal) }
      return
    }
    guard view.state == .stopping, let since = view.stoppingSince else {
      return self.violated(
        .noSignalToInnocents, process.owner, "\(signal) to \(process.identity), which is \(view.state)")
    }
    self.clients.signalled(process.owner, by: signal)
    guard signal == .kill, !self.isHurried else { return }
    // Where connections cannot be destroyed, a worker with clients is pushed on when their time is over.
    if !self.schedule.faults.mayDestroySockets, let patience = self.clients.patience(of: process.owner),
      patience >= self.schedule.clientTimeout
    {
      return
    }
    // The leader's end, or a refusal to stop when asked in words, shortens what follows.
    let leaderLives = self.leaderLives(process.owner)
    let grace = self.grace(of: process.owner)
    if leaderLives, since.duration(to: self.kernel.now) < grace {
      self.violated(
        .gracesAreKept, process.owner,
        "KILL to \(process.identity) \(since.duration(to: self.kernel.now).text) into a grace of \(grace.text)"
      )
    }
  }

  private func leaderLives(_ index: Int) -> Bool {
    self.kernel.living(of: index).contains { self.isLeader($0) && self.isHeld($0) }
  }

  private func grace(of index: Int) -> Duration {
    self.schedule.definitions[index].stop.reduce(Duration.zero) { sum, step in
      if case .signal(let signal, let wait) = step, signal != .kill { sum + (wait ?? .zero) } else { sum }
    }
  }

  private func disconnecting(_ index: Int, _ count: Int) {
    self.clients.disconnected(index)
    guard self.views[index].state == .stopping, let patience = self.clients.patience(of: index) else {
      return self.violated(
        .clientsHaveTheirTime, index,
        "\(count) clients are disconnected while it is \(self.views[index].state)")
    }
    // What shortens the worker's time shortens theirs.
    guard self.leaderLives(index), !self.isHurried else { return }
    let grace = self.grace(of: index)
    let due = min(self.schedule.clientTimeout, grace - min(.seconds(2), grace / 4))
    if patience < due {
      self.violated(
        .clientsHaveTheirTime, index,
        "\(count) clients are disconnected after \(patience.text), not \(due.text)")
    }
  }

  /// Once their time is over, nobody is there who was there when the worker was asked.
  private func oweDisconnection(_ index: Int) {
    guard let port = self.schedule.definitions[index].port, self.clients.patience(of: index) != nil,
      self.schedule.faults.mayDestroySockets, self.schedule.faults.tableFailures == 0
    else { return }
    let since = self.kernel.now
    self.kernel.time.after(self.schedule.clientTimeout + .milliseconds(50)) { [unowned self] in
      guard self.views[index].state == .stopping, self.views[index].stoppingSince == since,
        !self.clients.wasKilled(index)
      else { return }
      // Who comes later may come after the last look.
      let left = self.clients.overdue(on: port, since: since)
      if left > 0 {
        self.violated(
          .clientsAreDisconnected, index,
          "\(left) clients are there after \(self.schedule.clientTimeout.text)")
      }
    }
  }

  /// The one the master started last; whoever it started before is gone.
  private func isLeader(_ process: SimulatedProcess) -> Bool {
    self.kernel.lastStarted[process.owner] === process
  }

  /// It is the master's own child, or its guard is: with the guard the master has lost the program as well.
  private func isHeld(_ program: SimulatedProcess) -> Bool {
    program.guardian?.isRunning ?? (program.parent == self.kernel.selfIdentifier)
  }

  /// The master must notice. Not if the guard, which would tell, was stopped, or waits in a pid
  /// namespace for somebody who cannot be ended: there is nothing it could see.
  private func programEnded(_ program: SimulatedProcess) {
    let index = program.owner
    let guardian = program.guardian
    let limit = self.kernel.faults.childSignalDelay + Self.slack
    self.kernel.time.after(limit) { [unowned self] in
      guard self.kernel.lastStarted[index] === program, guardian?.isStuck != true,
        [.starting, .ready].contains(self.views[index].state)
      else { return }
      self.violated(
        .endsAreNoticed, index,
        "is called \(self.views[index].state), \(limit.text) after the end of \(program.identity)")
    }
  }

  // MARK: What the master says

  func workerNoted(_ name: String, _ note: String, isTrouble: Bool) {
    self.kernel.note(Int(name.dropFirst()), note)
  }

  func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?) {
    guard let index = Int(name.dropFirst()) else { return }
    self.kernel.note(index, why.isEmpty ? "\(state)" : "\(state): \(why)")
    self.views[index].state = state
    self.views[index].stoppingSince = state == .stopping ? self.kernel.now : nil
    self.clients.entered(index, state, why)
    self.owe(index, state)
    if state == .stopping { self.oweDisconnection(index) }
    switch state {
    case .stopped:
      self.checkStopped(index)
      if self.views[index].ranOnce, why != "it was not running",
        let port = self.schedule.definitions[index].port, let holder = self.kernel.ports.holder(of: port),
        self.kernel.ports.listener(on: port)?.cookie != nil || holder == "a stranger"
      {
        self.violated(.stoppedMeansEmpty, index, "is called stopped while port \(port) is held by \(holder)")
      }
    case .failed: self.checkFailed(index)
    default: break
    }
  }

  private func checkFailed(_ index: Int) {
    let living = self.kernel.living(of: index)
    let portIsHeld =
      self.schedule.definitions[index].port.map { self.kernel.ports.holder(of: $0) != nil } ?? false
    // SIGCHLD can still be under way. A guard comes before it, and one that is stopped is killed
    // when KILL is repeated.
    let news = self.kernel.faults.childSignalDelay
    let limit = self.schedule.guards[index] == nil ? news : news + .milliseconds(250)
    if let last = self.kernel.unkillableEnds[index], last.duration(to: self.kernel.now) <= limit {
      return
    }
    if !portIsHeld, !living.contains(where: \.isUnkillable) {
      self.violated(
        .failedMeansUnkillable, index,
        "is called failed, with \(living.count) left, all of which can be ended")
    }
  }

  /// Whatever state a worker enters, it leaves it in time.
  private func owe(_ index: Int, _ state: WorkerState) {
    if let timer = self.views[index].deadline { self.kernel.time.cancel(timer) }
    self.views[index].deadline = nil
    let definition = self.schedule.definitions[index]
    let limit: Duration? =
      switch state {
      case .starting: definition.startTimeout
      // The proof that its port is free is part of it: that state is not announced.
      case .stopping: definition.stop.timeBeforeKill + Escalation.longestKillWait + RuleKeeper.portTimeout
      case .backoff: definition.backoff.max
      default: nil
      }
    guard let limit else { return }
    self.views[index].deadline = self.kernel.time.after(limit + Self.slack) { [unowned self] in
      // A start that failed again for the same reason is not announced again.
      if state == .backoff { return }
      self.violated(.deadlinesAreKept, index, "is \(state) for more than \(limit.text)")
    }
  }

  func allReady() {}

  func statusChanged(_ status: String, stopping: Bool) {
    if stopping { self.isStopTold = true }
    self.kernel.note(nil, status)
  }

  func stopBegan(_ reason: String, budget: Duration) {
    self.stopsBegun += 1
    self.isStopTold = false
    if self.stopsBegun > 1 { self.violated(.oneReport, nil, "began to stop twice") }
  }

  /// The master has looked at everything just now; the cleanups begin.
  func verified() {
    self.survivors = self.kernel.processes.count
    let held = self.schedule.definitions.indices.filter { index in
      guard self.views[index].ranOnce, let port = self.schedule.definitions[index].port else { return false }
      return self.kernel.ports.holder(of: port) != nil && self.kernel.spawnedOnce.contains(index)
    }
    // Whether a guard that ended without a word has started its program, the master cannot know.
    self.heldPorts = held.count { self.kernel.ranOnce.contains($0) }...held.count
    let killable = self.kernel.everybody.filter { $0.exit == nil && !$0.isUnkillable }
    if let first = killable.first {
      self.violated(
        .reportIsTrue, nil, "\(killable.count) left that can be ended, \(first.identity) among them")
    }
  }

  func ended(_ outcome: ShutdownOutcome) {
    self.outcomes.append(outcome)
    self.kernel.note(nil, "report: \(outcome.summary)")
    if self.outcomes.count > 1 {
      return self.violated(.oneReport, nil, "reported \(self.outcomes.count) times")
    }
    if outcome.survivors.isEmpty != (self.survivors == 0) {
      self.violated(
        .reportIsTrue, nil,
        "reported \(outcome.survivors.count) survivors; there were \(self.survivors) processes")
    }
    if outcome.clientsForced ? !self.clients.mayHaveBeenForced : self.clients.wasForced {
      self.violated(
        .reportIsTrue, nil,
        "reported that clients were \(outcome.clientsForced ? "" : "not ")disconnected by force")
    }
    if (outcome.exitStatus == 1)
      != (outcome.clientsForced && outcome.killed.isEmpty && outcome.signalled.isEmpty
        && outcome.survivors.isEmpty && outcome.heldPorts.isEmpty)
    {
      self.violated(.reportIsTrue, nil, "exit status \(outcome.exitStatus)")
    }
    if !self.heldPorts.contains(outcome.heldPorts.count) {
      self.violated(
        .reportIsTrue, nil, "reported \(outcome.heldPorts.count) held ports of \(self.heldPorts)")
    }
    if !self.kernel.hasHiders, (outcome.killed + outcome.signalled).contains("what belonged to no worker") {
      self.violated(.reportIsTrue, nil, "reported somebody who belonged to no worker; nobody has hidden")
    }
  }

  func checkAfterTheEnd() {
    if self.outcomes.count != 1 {
      self.violated(.oneReport, nil, "reported \(self.outcomes.count) times")
    }
  }
}
