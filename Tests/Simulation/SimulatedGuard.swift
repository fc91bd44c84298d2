internal import ProcCtl
internal import SeededRandom
internal import Supervision

/// The guard of one start of a worker: a simulated process with the program below it,
/// and the channel on which it tells the master.
final class SimulatedGuard: WorkerGuard {
  let plan: GuardPlan
  private unowned let kernel: SimulatedKernel
  private let owner: Int
  // The kernel's, which hold us.
  private(set) weak var process: SimulatedProcess?
  private weak var program: SimulatedProcess?
  private var programStatus: TerminationStatus?
  /// It is the first process of a pid namespace and has died; it is a zombie when the others are gone.
  private(set) var isCollapsing = false
  private var isEnding = false
  private var hasBegun = false
  /// Written by the guard and not read by the master yet.
  private var written: [GuardEvent] = []
  private var isOpen = true
  /// Whether the master is told of the end of the program at all: a bug that can be planted.
  var losesCommandEnd = false
  var whenTold: ((GuardEvent) -> Void)?

  /// The master sends it nothing but KILL. The real one ends what is below it when it is sent TERM;
  /// this one, worse, does nothing.
  static var behaviour: Behaviour {
    var behaviour = Behaviour()
    behaviour.onTerminate = .ignores
    behaviour.onInterrupt = .ignores
    return behaviour
  }

  init(_ plan: GuardPlan, of owner: Int, in kernel: SimulatedKernel) {
    self.plan = plan
    self.owner = owner
    self.kernel = kernel
  }

  var isRunning: Bool { self.process.map { $0.exit == nil } ?? false }

  /// It neither tells nor ends, whatever happens below it.
  var isStuck: Bool { self.isCollapsing || self.process?.isStopped == true }

  var hasProgramEnded: Bool { self.hasBegun && self.program?.exit != nil }

  // MARK: The process

  func began(_ process: SimulatedProcess) {
    self.process = process
    self.act(after: self.plan.startsAfter) { $0.startProgram() }
    if case .afterStart(let pause)? = self.plan.isShot { self.shoot(after: pause) }
    if case .afterStart(let pause)? = self.plan.isStopped { self.stop(after: pause) }
  }

  /// What it does by itself, unless it is stopped or dying.
  private func act(after pause: Duration, _ action: @escaping (SimulatedGuard) -> Void) {
    guard let process = self.process else { return }
    self.kernel.later(pause, process) { [self] _ in if !process.isDying { action(self) } }
  }

  private func startProgram() {
    guard !self.hasBegun, let process = self.process else { return }
    self.hasBegun = true
    guard !self.plan.cannotStart, let program = self.kernel.startProgram(below: process) else {
      self.tell(.failed("its guard could not start it"))
      return self.act(after: self.plan.endsAfter) { $0.end(.exited(126)) }
    }
    self.program = program
    // In a pid namespace numbers are others, here those of nobody.
    let told =
      self.plan.kind == .subreaper
      ? program.identity : ProcessIdentity(processIdentifier: ProcessIdentifier(2), startTime: 0)
    self.tell(.started(told))
  }

  /// A child of it has ended, or it was handed a zombie.
  func childEnded(_ child: SimulatedProcess) {
    guard !self.isCollapsing else { return }
    if child === self.program {
      if case .afterCommand(let pause)? = self.plan.isShot { self.shoot(after: pause) }
      if case .afterCommand(let pause)? = self.plan.isStopped { self.stop(after: pause) }
      // Its zombie is kept to the last, as it holds its number, session and group.
      return self.act(after: self.plan.tellsAfter) { $0.tellCommandEnded() }
    }
    self.act(after: self.kernel.random.milliseconds(0...5)) { guardian in
      guardian.kernel.free(child, below: guardian.process)
      guardian.endIfAlone()
    }
  }

  private func tellCommandEnded() {
    guard let status = self.program?.exit else { return }
    self.programStatus = status
    if !self.losesCommandEnd { self.tell(.commandEnded(status, leftovers: self.leftovers)) }
    self.endIfAlone()
  }

  /// Those below it whom it cannot reap right now.
  private var leftovers: Int {
    var queue = (self.process?.children ?? []).filter { $0.exit == nil }
    var count = 0
    while let next = queue.popLast() {
      count += 1
      queue += next.children
    }
    return count
  }

  private func endIfAlone() {
    guard let status = self.programStatus, !self.isEnding, let process = self.process,
      process.children.allSatisfy({ $0.exit != nil })
    else { return }
    self.isEnding = true
    self.act(after: self.plan.endsAfter) { guardian in
      guardian.tell(.ended(lastSignal: nil))
      guardian.end(status)
    }
  }

  /// Reaps whom it has, all of them dead, and ends.
  private func end(_ status: TerminationStatus) {
    guard let process = self.process else { return }
    for child in process.children { self.kernel.free(child, below: process) }
    self.kernel.end(process, status)
  }

  // MARK: Faults

  private func shoot(after pause: Duration) {
    self.kernel.time.after(pause) { [self] in
      guard let process = self.process, process.exit == nil else { return }
      self.kernel.note(self.owner, "the guard \(process.identity) is shot by somebody")
      self.kernel.kill(process)
    }
  }

  private func stop(after pause: Duration) {
    self.kernel.time.after(pause) { [self] in
      guard let process = self.process, process.exit == nil else { return }
      self.kernel.note(self.owner, "the guard \(process.identity) is stopped by somebody")
      process.isStopped = true
    }
  }

  /// It has been sent KILL.
  func willDie() {
    guard self.plan.startsWhileDying, !self.hasBegun, let process = self.process else { return }
    self.hasBegun = true
    self.program = self.kernel.startProgram(below: process)
  }

  /// It dies of KILL.
  func die() {
    guard let process = self.process else { return }
    guard self.plan.kind == .pidNamespace else {
      return self.kernel.end(process, .signaled(.kill, coreDumped: false))
    }
    // No fork succeeds from here on (pid_namespaces(7)), and nobody may refuse this.
    self.isCollapsing = true
    for member in self.kernel.living(of: self.owner) where member.guardian === self {
      self.kernel.killByForce(member)
    }
    self.memberEnded()
  }

  /// Somebody in the guard's care has ended, at whatever depth.
  func memberEnded() {
    guard self.isCollapsing, self.isRunning,
      !self.kernel.living(of: self.owner).contains(where: { $0.guardian === self })
    else { return }
    self.end(.signaled(.kill, coreDumped: false))
  }

  // MARK: The channel

  /// What is written is there to be read, even when the writer is gone; the master comes to it late.
  private func tell(_ event: GuardEvent) {
    self.written.append(event)
    let delay = self.kernel.random.milliseconds(self.kernel.random.chance(10) ? 0...100 : 0...2)
    self.kernel.time.after(delay) { [self] in self.drain() }
  }

  func drain() {
    while self.isOpen, !self.written.isEmpty {
      let event = self.written.removeFirst()
      self.kernel.note(self.owner, "its guard tells: \(event)")
      self.whenTold?(event)
    }
  }

  /// A guard that still runs takes this for the master's death and kills everybody below it.
  func close() {
    guard self.isOpen else { return }
    self.isOpen = false
    self.whenTold = nil
    self.act(after: .milliseconds(1)) { guardian in
      for member in guardian.kernel.living(of: guardian.owner) where member.guardian === guardian {
        if !member.behaviour.refusesSignals { guardian.kernel.kill(member) }
      }
    }
  }
}
