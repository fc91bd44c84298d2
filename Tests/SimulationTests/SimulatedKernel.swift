import ProcCtl
import SeededRandom
import SystemPackage

/// A kernel in which processes are values, time is virtual, and faults come from a seed.
final class SimulatedKernel: Kernel {
  let time: VirtualTime
  let selfIdentifier = ProcessIdentifier(100)
  private(set) var processes: [ProcessIdentifier: SimulatedProcess] = [:]
  /// In the order they became ours: the kernel's order, and the same in every run.
  private var ownChildren: [ProcessIdentifier] = []
  private var livingByOwner: [Int: Set<ProcessIdentifier>] = [:]
  private var listeners: [UInt16: SimulatedProcess] = [:]
  private var random: SeededRandom
  private var nextPid: Int32 = 101
  private var started: UInt64 = 0
  private var signalledChildren = false
  /// Called when SIGCHLD arrives: one for many.
  var whenChildrenChange: () -> Void = {}
  /// What a command does, by the worker it is for.
  var behaviour: (_ owner: Int) -> Behaviour = { _ in Behaviour() }
  var port: (_ owner: Int) -> UInt16? = { _ in nil }
  /// Percent of spawns that fail with EAGAIN.
  var spawnFailures = 0
  /// Ports of strangers.
  var foreignPorts: Set<UInt16> = []
  /// Broken rules, as text.
  private(set) var violations: [String] = []
  private(set) var spawnCount = 0
  /// Workers that ran at least once.
  private(set) var ranOnce: Set<Int> = []

  init(time: VirtualTime, seed: UInt64) {
    self.time = time
    self.random = SeededRandom(seed: seed)
  }

  var now: MonotonicInstant { self.time.now }

  func violated(_ rule: String) {
    self.violations.append("\(self.now.nanoseconds / 1_000_000) ms: \(rule)")
  }

  /// Everyone of the worker who still runs, by the truth.
  func living(of owner: Int) -> [SimulatedProcess] {
    (self.livingByOwner[owner] ?? []).compactMap { self.processes[$0] }
  }

  // MARK: Processes

  func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
    self.spawnCount += 1
    if self.random.chance(self.spawnFailures) {
      throw ProcessError(
        .spawn, doing: "make a child process", underlyingError: .resourceTemporarilyUnavailable)
    }
    guard case .name(let name) = command.executable.location, let owner = Int(name.description) else {
      throw ProcessError(.commandNotFound, doing: "find \(command.executable)")
    }
    self.ranOnce.insert(owner)
    let cookie = command.environment.value(of: ByteString(attributionCookieName))
    let process = self.start(
      self.behaviour(owner), owner: owner, parent: self.selfIdentifier, leader: nil, cookie: cookie)
    return process.identity
  }

  /// - Parameter leader: Whose session it stays in; nil for one of its own.
  @discardableResult
  private func start(
    _ behaviour: Behaviour, owner: Int, parent: ProcessIdentifier, leader: SimulatedProcess?,
    cookie: ByteString?
  ) -> SimulatedProcess {
    // Numbers are reused soon, as on a busy machine.
    repeat {
      self.nextPid = self.nextPid >= 32_000 ? 101 : self.nextPid + 1
    } while self.processes[ProcessIdentifier(self.nextPid)] != nil
    let pid = ProcessIdentifier(self.nextPid)
    self.started += 1
    let process = SimulatedProcess(
      identity: ProcessIdentity(processIdentifier: pid, startTime: self.started), parent: parent,
      group: leader?.group ?? pid, session: leader?.session ?? pid, cookie: cookie, owner: owner,
      behaviour: behaviour)
    self.processes[pid] = process
    self.livingByOwner[owner, default: []].insert(pid)
    self.adopt(pid, by: parent)
    for child in behaviour.children {
      self.start(
        child.behaviour, owner: owner, parent: child.orphaned ? self.selfIdentifier : pid,
        leader: child.ownSession ? nil : process, cookie: child.hidesCookie ? nil : cookie)
    }
    if let (after, status) = behaviour.ends {
      self.time.after(after) { [unowned self] in self.end(process, status) }
    }
    if let after = behaviour.listensAfter, let port = self.port(owner) {
      self.time.after(after) { [unowned self] in self.listen(process, on: port) }
    }
    return process
  }

  private func adopt(_ child: ProcessIdentifier, by parent: ProcessIdentifier) {
    if parent == self.selfIdentifier {
      self.ownChildren.append(child)
    } else {
      self.processes[parent]?.children.insert(child)
    }
  }

  private func listen(_ process: SimulatedProcess, on port: UInt16) {
    guard process.exit == nil, self.holder(of: port) == nil else { return }
    process.port = port
    self.listeners[port] = process
  }

  func holder(of port: UInt16) -> String? {
    if self.foreignPorts.contains(port) { return "a stranger" }
    return self.listeners[port].map { "pid \($0.identity)" }
  }

  func listener(on port: UInt16) -> SimulatedProcess? { self.listeners[port] }

  func end(_ process: SimulatedProcess, _ status: TerminationStatus) {
    guard process.exit == nil else { return }
    process.exit = status
    self.livingByOwner[process.owner]?.remove(process.identity.processIdentifier)
    if let port = process.port { self.listeners[port] = nil }
    process.port = nil
    var inheritsZombies = false
    for child in process.children.sorted() {
      guard let orphan = self.processes[child] else { continue }
      orphan.parent = self.selfIdentifier
      if orphan.exit != nil { inheritsZombies = true }
      self.ownChildren.append(child)
    }
    process.children = []
    if process.parent == self.selfIdentifier {
      self.signalChildrenChanged()
    } else {
      // Its living parent reaps it, sooner or later.
      let parent = process.parent
      self.time.after(self.random.milliseconds(0...5)) { [unowned self] in
        guard process.parent == parent, self.processes[process.identity.processIdentifier] === process else {
          return
        }
        self.processes[parent]?.children.remove(process.identity.processIdentifier)
        self.processes[process.identity.processIdentifier] = nil
      }
    }
    // Zombies handed up by a dead parent are news to the subreaper as well.
    if inheritsZombies { self.signalChildrenChanged() }
  }

  /// SIGCHLD: late, and one for many.
  private func signalChildrenChanged() {
    guard !self.signalledChildren else { return }
    self.signalledChildren = true
    self.time.after(.microseconds(Int64.random(in: 0...3000, using: &self.random))) { [unowned self] in
      self.signalledChildren = false
      self.whenChildrenChange()
    }
  }

  func status(of process: ProcessIdentifier) -> ProcessStatus? { self.processes[process]?.status }

  func children(of process: ProcessIdentifier) -> [ProcessIdentifier] {
    process == self.selfIdentifier ? self.ownChildren : (self.processes[process]?.children.sorted() ?? [])
  }

  func allProcesses() -> [ProcessStatus] { self.processes.values.map(\.status) }

  func cookie(of process: ProcessIdentifier) -> ByteString? { self.processes[process]?.cookie }

  // MARK: Waiting

  func peekExit(of child: ProcessIdentifier) -> TerminationStatus? {
    guard let process = self.processes[child], process.parent == self.selfIdentifier else { return nil }
    return process.exit
  }

  func peekAnyExit() -> AnyChildExit {
    if self.ownChildren.isEmpty { return .noChildren }
    for child in self.ownChildren {
      if let exit = self.processes[child]?.exit { return .ended(child, exit) }
    }
    return .allRunning
  }

  func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
    guard let exit = self.peekExit(of: child) else { return nil }
    if let position = self.ownChildren.firstIndex(of: child) { self.ownChildren.remove(at: position) }
    self.processes[child] = nil
    return exit
  }

  // MARK: Signals

  func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery {
    guard let target = self.processes[process.processIdentifier] else {
      // A child's number is ours until we reap it, so this is a signal to a number we gave back.
      if process.parent == self.selfIdentifier {
        self.violated("signalled \(process.identity) after its reap")
      }
      return .gone
    }
    guard target.identity == process.identity else {
      if process.parent == self.selfIdentifier { self.violated("signalled the innocent \(target.identity)") }
      return .gone
    }
    self.deliver(signal, to: target)
    return .sent
  }

  func send(_ signal: Signal, toGroupOf child: ProcessIdentifier) throws(ProcessError) -> SignalDelivery {
    if self.processes[child] == nil { self.violated("signalled the group of \(child) after its reap") }
    for process in self.processes.values where process.group == child { self.deliver(signal, to: process) }
    return .sent
  }

  private func deliver(_ signal: Signal, to process: SimulatedProcess) {
    guard process.exit == nil else { return }
    switch signal {
    case .kill:
      guard !process.isDying, let after = process.behaviour.diesOfKillAfter else { return }
      process.isDying = true
      if process.behaviour.forksWhileDying {
        var heir = process.behaviour
        heir.forksWhileDying = false
        heir.children = []
        self.start(
          heir, owner: process.owner, parent: process.identity.processIdentifier, leader: process,
          cookie: process.cookie)
      }
      self.time.after(after) { [unowned self] in self.end(process, .signaled(.kill, coreDumped: false)) }
    case .terminate: self.answer(process.behaviour.onTerminate, of: process)
    case .interrupt: self.answer(process.behaviour.onInterrupt, of: process)
    default: break
    }
  }

  private func answer(_ answer: Behaviour.Answer, of process: SimulatedProcess) {
    guard case .ends(let after, let status) = answer else { return }
    self.time.after(after) { [unowned self] in self.end(process, status) }
  }
}
