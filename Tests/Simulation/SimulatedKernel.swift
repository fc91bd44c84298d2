internal import ProcCtl
internal import SeededRandom
internal import SystemPackage

/// A kernel in which processes are values, time is virtual, and faults come from a seed.
///
/// Whatever it answers is in an order that the seed decides, so that a run can be
/// repeated by another process: nothing here iterates over a dictionary or a set.
final class SimulatedKernel: Kernel {
  /// What can go wrong in it, beside what processes do.
  struct Faults {
    /// Percent of spawns that fail with EAGAIN.
    var spawnFailures = 0
    /// SIGCHLD comes at most this much late.
    var childSignalDelay = Duration.milliseconds(3)
    /// Process numbers are below this.
    var pidLimit: Int32 = 4_194_304
    /// Sockets can be destroyed: CAP_NET_ADMIN.
    var mayDestroySockets = true
    /// Percent of readings of the socket table that fail.
    var tableFailures = 0
    /// The lowest free number is next: numbers are used again at once.
    var reusesNumbers = false
  }

  let time: VirtualTime
  let trace: Trace
  let faults: Faults
  let selfIdentifier = ProcessIdentifier(100)
  var processes: [ProcessIdentifier: SimulatedProcess] = [:]
  var random: SeededRandom
  let ports = SimulatedPorts()
  private(set) lazy var clients = SimulatedClients(kernel: self)
  /// The master's children in the order they became its own, with gaps.
  private var ownChildren: [SimulatedProcess?] = []
  private var ownCount = 0
  /// Those of them that have ended, in order.
  private var ended: [SimulatedProcess] = []
  private var endedStart = 0
  private var livingByOwner: [Int: [SimulatedProcess]] = [:]
  /// How many processes have the number as process group or session: it is not given out again before.
  private var pinned: [Int32: Int] = [:]
  private var nextPid: Int32 = 101
  private var started: UInt64 = 0
  private var signalledChildren = false
  /// What a command does, by the worker it is for.
  var behaviour: (_ owner: Int) -> Behaviour = { _ in Behaviour() }
  var port: (_ owner: Int) -> UInt16? = { _ in nil }
  /// The guard that the next process spawned for the worker will be.
  var preparedGuards: [Int: SimulatedGuard] = [:]
  /// Called when SIGCHLD arrives: one for many.
  var whenChildrenChange: () -> Void = {}
  /// Called before a worker's process is made.
  var whenSpawning: (_ owner: Int) -> Void = { _ in }
  /// Called before a signal reaches a living process.
  var whenSignalled: (Signal, SimulatedProcess) -> Void = { _, _ in }
  /// Called when a worker's program has ended.
  var whenProgramEnded: (SimulatedProcess) -> Void = { _ in }
  var whenViolated: (Rule, _ worker: Int?, String) -> Void = { _, _, _ in }
  /// Who is stopped and has a signal waiting.
  var unseen: [SimulatedProcess] = []
  /// Workers of which something has come or gone since the last check.
  var touched: Set<Int> = []
  private(set) var eventCount = 0
  /// What the real kernel would have been asked: a file of /proc, a line of one, or a wait.
  private(set) var readCount = 0
  /// The last program of each worker; its guard, while that has not started it.
  private(set) var lastStarted: [Int: SimulatedProcess] = [:]
  /// When one of the worker's processes that cannot be ended has ended by itself.
  private(set) var unkillableEnds: [Int: MonotonicInstant] = [:]
  /// Workers that ran at least once.
  private(set) var spawnedOnce: Set<Int> = []
  /// Those of them whose program ran, and not only a guard that could not start it.
  private(set) var ranOnce: Set<Int> = []
  /// Whether anybody was ever started who hides whose it is.
  private(set) var hasHiders = false

  init(time: VirtualTime, seed: UInt64, faults: Faults, trace: Trace) {
    self.time = time
    self.random = SeededRandom(seed: seed)
    self.faults = faults
    self.trace = trace
  }

  var now: MonotonicInstant { self.time.now }

  func note(_ owner: Int?, _ text: @autoclosure () -> String) {
    self.eventCount += 1
    self.trace.note(owner, at: self.time.elapsed, text())
  }

  /// Everyone of the worker who still runs, by the truth.
  func living(of owner: Int) -> [SimulatedProcess] { self.livingByOwner[owner] ?? [] }

  /// Everybody there is, in the order of their birth.
  var everybody: [SimulatedProcess] {
    self.processes.values.sorted { $0.identity.startTime < $1.identity.startTime }
  }

  // MARK: Processes

  func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
    guard case .name(let name) = command.executable.location, let owner = Int(name.description) else {
      throw ProcessError(.commandNotFound, doing: "find \(command.executable)")
    }
    self.whenSpawning(owner)
    let cookie = command.environment.value(of: ByteString(attributionCookieName))
    let guardian = self.preparedGuards.removeValue(forKey: owner)
    guard !self.random.chance(self.faults.spawnFailures),
      let process = self.start(
        guardian == nil ? self.behaviour(owner) : SimulatedGuard.behaviour, owner: owner, parent: nil,
        leader: nil, cookie: cookie)
    else {
      self.note(owner, "spawn: EAGAIN")
      throw ProcessError(
        .spawn, doing: "make a child process", underlyingError: .resourceTemporarilyUnavailable)
    }
    self.lastStarted[owner] = process
    self.spawnedOnce.insert(owner)
    if let guardian {
      process.guards = guardian
      guardian.began(process)
    } else {
      self.ranOnce.insert(owner)
    }
    return process.identity
  }

  /// Starts the program of a guard's worker, in a session of its own; nil if there is no number left.
  func startProgram(below process: SimulatedProcess) -> SimulatedProcess? {
    let owner = process.owner
    guard
      let program = self.start(
        self.behaviour(owner), owner: owner, parent: process, leader: nil, cookie: process.cookie)
    else { return nil }
    self.lastStarted[owner] = program
    self.ranOnce.insert(owner)
    return program
  }

  /// - Parameters:
  ///   - parent: Nil for a child of the master.
  ///   - leader: Whose session it stays in; nil for one of its own.
  /// - Returns: Nil if there is no number left, which is EAGAIN.
  @discardableResult
  func start(
    _ behaviour: Behaviour, owner: Int, parent: SimulatedProcess?, leader: SimulatedProcess?,
    cookie: ByteString?
  ) -> SimulatedProcess? {
    let guardian = parent.flatMap { $0.guards ?? $0.guardian }
    guard guardian?.isCollapsing != true, let pid = self.freeNumber() else { return nil }
    self.started += 1
    let process = SimulatedProcess(
      identity: ProcessIdentity(processIdentifier: pid, startTime: self.started),
      parent: parent?.pid ?? self.selfIdentifier, group: leader?.group ?? pid,
      session: leader?.session ?? pid, cookie: cookie, owner: owner, behaviour: behaviour,
      guardian: guardian)
    self.note(
      owner,
      "started \(process.identity) below \(process.parent)\(leader == nil ? " in a session of its own" : "")")
    self.processes[pid] = process
    if cookie == nil { self.hasHiders = true }
    self.pinned[process.group.value, default: 0] += 1
    self.pinned[process.session.value, default: 0] += 1
    self.livingByOwner[owner, default: []].append(process)
    self.touched.insert(owner)
    if let parent { parent.children.append(process) } else { self.adopt(process) }
    for child in behaviour.children {
      self.start(
        child.behaviour, owner: owner, parent: child.orphaned ? process.adopter : process,
        leader: child.ownSession ? nil : process, cookie: child.hidesCookie ? nil : cookie)
    }
    self.schedule(process)
    return process
  }

  /// What it does by itself.
  private func schedule(_ process: SimulatedProcess) {
    let behaviour = process.behaviour
    if let (after, status) = behaviour.ends { self.later(after, process) { $0.end(process, status) } }
    if let after = behaviour.listensAfter, let port = self.port(process.owner) {
      self.later(after, process) { kernel in
        guard kernel.ports.listen(process, on: port) else { return }
        kernel.touched.insert(process.owner)
        kernel.note(process.owner, "\(process.identity) listens on \(port)")
        kernel.clients.began(process, on: port)
      }
    }
    if let after = behaviour.isStoppedAfter {
      self.later(after, process) { kernel in
        process.isStopped = true
        kernel.note(process.owner, "\(process.identity) is stopped by somebody")
      }
    }
    if let forks = behaviour.forks { self.fork(process, every: forks.every, left: forks.times) }
  }

  private func fork(_ process: SimulatedProcess, every pause: Duration, left: Int) {
    guard left > 0 else { return }
    self.later(pause, process) { kernel in
      guard !process.isDying else { return }
      var heir = process.behaviour
      heir.forks = nil
      heir.children = []
      kernel.start(heir, owner: process.owner, parent: process, leader: process, cookie: process.cookie)
      kernel.fork(process, every: pause, left: left - 1)
    }
  }

  /// What a process does then, unless it has ended; a stopped one when it is continued.
  func later(
    _ pause: Duration, _ process: SimulatedProcess, _ action: @escaping (SimulatedKernel) -> Void
  ) {
    self.time.after(pause) { [unowned self] in
      guard process.exit == nil else { return }
      self.act(process, action)
    }
  }

  func act(_ process: SimulatedProcess, _ action: @escaping (SimulatedKernel) -> Void) {
    guard process.isStopped else { return action(self) }
    process.pending.append { [unowned self] in
      if process.exit == nil { self.act(process, action) }
    }
  }

  private func freeNumber() -> ProcessIdentifier? {
    if self.faults.reusesNumbers { self.nextPid = 100 }
    for _ in 101..<self.faults.pidLimit {
      self.nextPid = self.nextPid + 1 >= self.faults.pidLimit ? 101 : self.nextPid + 1
      let pid = ProcessIdentifier(self.nextPid)
      if self.processes[pid] == nil, self.pinned[self.nextPid] == nil { return pid }
    }
    return nil
  }

  private func adopt(_ child: SimulatedProcess, by guardian: SimulatedProcess? = nil) {
    if let guardian {
      child.parent = guardian.pid
      guardian.children.append(child)
      if child.exit != nil { guardian.guards?.childEnded(child) }
      return
    }
    child.parent = self.selfIdentifier
    child.place = self.ownChildren.count
    self.ownChildren.append(child)
    self.ownCount += 1
    if child.exit != nil { self.ended.append(child) }
  }

  func end(_ process: SimulatedProcess, _ status: TerminationStatus) {
    guard process.exit == nil else { return }
    self.note(process.owner, "\(process.identity) ended: \(status)")
    let wasUnkillable = process.isUnkillable
    process.exit = status
    if wasUnkillable { self.unkillableEnds[process.owner] = self.now }
    process.pending = []
    self.livingByOwner[process.owner]?.removeAll { $0 === process }
    self.touched.insert(process.owner)
    self.clients.ended(process)
    self.ports.close(process)
    let inheritsZombies = process.children.contains { $0.exit != nil }
    let adopter = process.adopter
    for child in process.children { self.adopt(child, by: adopter) }
    process.children = []
    if process.place != nil {
      self.ended.append(process)
      self.signalChildrenChanged()
    } else if let guardian = self.processes[process.parent]?.guards {
      guardian.childEnded(process)
    } else {
      // Its living parent reaps it, sooner or later.
      let parent = process.parent
      self.time.after(self.random.milliseconds(0...5)) { [unowned self] in
        guard process.parent == parent, !process.isReaped else { return }
        self.processes[parent]?.children.removeAll { $0 === process }
        self.free(process)
      }
    }
    // Zombies handed up by a dead parent are news to the subreaper as well.
    if inheritsZombies, adopter == nil { self.signalChildrenChanged() }
    process.guardian?.memberEnded()
    if self.lastStarted[process.owner] === process { self.whenProgramEnded(process) }
  }

  /// Its parent, which is not the master, reaps it.
  func free(_ process: SimulatedProcess, below parent: SimulatedProcess?) {
    guard !process.isReaped else { return }
    parent?.children.removeAll { $0 === process }
    self.free(process)
  }

  private func free(_ process: SimulatedProcess) {
    process.isReaped = true
    self.processes[process.pid] = nil
    for number in [process.group.value, process.session.value] {
      let left = (self.pinned[number] ?? 1) - 1
      self.pinned[number] = left == 0 ? nil : left
    }
  }

  /// SIGCHLD: late, and one for many.
  private func signalChildrenChanged() {
    guard !self.signalledChildren else { return }
    self.signalledChildren = true
    let delay = Int.random(in: 0...Int(self.faults.childSignalDelay / .microseconds(1)), using: &self.random)
    self.time.after(.microseconds(delay)) { [unowned self] in
      self.signalledChildren = false
      self.whenChildrenChange()
    }
  }

  func status(of process: ProcessIdentifier) -> ProcessStatus? {
    self.readCount += 1
    return self.processes[process]?.status
  }

  func children(of process: ProcessIdentifier) -> [ProcessIdentifier] {
    self.readCount += 1
    guard process == self.selfIdentifier else { return self.processes[process]?.children.map(\.pid) ?? [] }
    self.readCount += self.ownCount
    return self.ownChildren.compactMap { $0?.pid }
  }

  func allProcesses() -> [ProcessStatus] { self.everybody.map(\.status) }

  func cookie(of process: ProcessIdentifier) -> ByteString? { self.processes[process]?.cookie }

  // MARK: Waiting

  func peekExit(of child: ProcessIdentifier) -> TerminationStatus? {
    self.readCount += 1
    guard let process = self.processes[child], process.place != nil else { return nil }
    return process.exit
  }

  func peekAnyExit() -> AnyChildExit {
    while self.endedStart < self.ended.count {
      let first = self.ended[self.endedStart]
      if let exit = first.exit, !first.isReaped { return .ended(first.pid, exit) }
      self.endedStart += 1
    }
    self.ended.removeAll(keepingCapacity: true)
    self.endedStart = 0
    return self.ownCount == 0 ? .noChildren : .allRunning
  }

  func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
    guard let process = self.processes[child], let place = process.place, let exit = process.exit else {
      return nil
    }
    self.note(process.owner, "\(process.identity) is reaped")
    self.ownChildren[place] = nil
    self.ownCount -= 1
    self.free(process)
    if self.ownChildren.count > 64, self.ownChildren.count > 2 * self.ownCount {
      self.ownChildren.removeAll { $0 == nil }
      for (place, child) in self.ownChildren.enumerated() { child?.place = place }
    }
    return exit
  }
}
