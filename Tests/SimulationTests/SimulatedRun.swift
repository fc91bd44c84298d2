import ProcCtl
import SeededRandom
import Supervision

/// One run of a whole master over simulated workers, made from a seed, with the
/// rules checked after every step.
final class SimulatedRun: MasterObserver {
  let seed: UInt64
  private let time = VirtualTime()
  private let kernel: SimulatedKernel
  private let network: SimulatedNetwork
  private(set) var master: Master
  private let definitions: [WorkerDefinition]
  private let behaviours: [Behaviour]
  private var random: SeededRandom
  private var stoppedAt: MonotonicInstant?
  private var spawnsAtStop = 0
  private var stopped: Set<Int> = []
  private(set) var outcomes: [ShutdownOutcome] = []
  private(set) var steps = 0

  init(seed: UInt64, workers: Int? = nil) {
    self.seed = seed
    var random = SeededRandom(seed: seed)
    let count = workers ?? Int.random(in: 1...12, using: &random)
    let kernel = SimulatedKernel(time: self.time, seed: random.next())
    self.kernel = kernel
    self.network = SimulatedNetwork(kernel: kernel)
    self.behaviours = (0..<count).map { _ in Behaviour.random(using: &random) }
    self.definitions = (0..<count).map { index in
      WorkerDefinition(
        name: "w\(index)", command: ["\(index)"], port: random.chance(70) ? UInt16(2000 + index) : nil,
        stop: StopPlan.random(using: &random), restart: random.chance(80) ? .always : .onFailure,
        startTimeout: .seconds(10))
    }
    kernel.spawnFailures = random.chance(20) ? 20 : 0
    self.master = Master(
      definitions: self.definitions, timeouts: ShutdownTimeouts(ports: .seconds(3)), kernel: kernel,
      scheduler: self.time, network: self.network, starter: self.network, cleanups: self.network,
      seed: random.next())
    self.random = random
    let behaviours = self.behaviours
    let definitions = self.definitions
    kernel.behaviour = { behaviours[$0] }
    kernel.port = { definitions[$0].port }
    kernel.whenChildrenChange = { [unowned self] in self.master.childrenChanged() }
    self.master.observer = self
  }

  /// Runs to the end and returns the broken rules.
  func violations() -> [String] {
    self.master.start()
    let stopAfter = self.random.milliseconds(0...20_000)
    for _ in 0..<Int.random(in: 0...3, using: &self.random) {
      let name = "w\(Int.random(in: 0..<self.definitions.count, using: &self.random))"
      self.time.after(self.random.milliseconds(0...20_000)) { [unowned self] in
        self.master.restart(worker: name)
      }
    }
    if self.random.chance(20) {
      let port = self.definitions.compactMap(\.port).randomElement(using: &self.random)
      self.time.after(self.random.milliseconds(0...20_000)) { [unowned self] in
        if let port { self.kernel.foreignPorts.insert(port) }
      }
    }
    self.time.after(stopAfter) { [unowned self] in self.stop() }
    if self.random.chance(20) {
      self.time.after(stopAfter + self.random.milliseconds(1...8000)) { [unowned self] in self.master.hurry()
      }
    }
    if self.random.chance(10) {
      self.time.after(stopAfter + self.random.milliseconds(1...8000)) { [unowned self] in self.master.kill() }
    }
    while self.time.step(), self.outcomes.isEmpty {
      self.steps += 1
      self.check()
      if self.steps > 2_000_000 {
        self.kernel.violated("no end in sight")
        break
      }
    }
    self.checkEnd()
    return self.kernel.violations
  }

  private func stop() {
    self.spawnsAtStop = self.kernel.spawnCount
    self.stoppedAt = self.time.now
    self.master.stop(reason: "the schedule")
    self.master.stop(reason: "again")
  }

  // MARK: Rules

  private func check() {
    for index in self.stopped {
      let definition = self.definitions[index]
      // Whoever hid their origin is found at the end, not before.
      if self.kernel.living(of: index).contains(where: { $0.cookie != nil }) {
        self.kernel.violated("\(definition.name) is called stopped and lives")
      }
      if let port = definition.port, let holder = self.kernel.holder(of: port), holder != "a stranger",
        !self.kernel.living(of: index).contains(where: { $0.cookie == nil })
      {
        self.kernel.violated("\(definition.name) is called stopped and its port is held by \(holder)")
      }
    }
    if let stoppedAt = self.stoppedAt {
      if self.kernel.spawnCount > self.spawnsAtStop {
        self.kernel.violated("started a worker after the stop")
      }
      if self.outcomes.isEmpty,
        stoppedAt.duration(to: self.time.now) > self.master.longestStop + .seconds(1)
      {
        self.kernel.violated("still stopping after \(self.master.longestStop.text)")
        self.outcomes.append(ShutdownOutcome())
      }
    }
  }

  private func checkEnd() {
    guard self.outcomes.count == 1, let outcome = self.outcomes.first else {
      return self.kernel.violated("ended \(self.outcomes.count) times")
    }
    let living = self.kernel.processes.values.filter { $0.exit == nil }
    let zombies = self.kernel.processes.values.filter { $0.exit != nil }
    let unkillable = living.filter { $0.behaviour.diesOfKillAfter == nil }
    if living.count > unkillable.count {
      self.kernel.violated("\(living.count - unkillable.count) left that could be killed")
    }
    if outcome.survivors.isEmpty, !living.isEmpty || !zombies.isEmpty {
      self.kernel.violated("reported empty with \(living.count) living and \(zombies.count) zombies")
    }
    if !outcome.survivors.isEmpty, living.isEmpty {
      self.kernel.violated("reported survivors that do not exist")
    }
    // The port of a worker that never ran was never the master's to free.
    let taken = self.kernel.foreignPorts.filter { self.kernel.ranOnce.contains(Int($0) - 2000) }
    if !taken.isEmpty, outcome.heldPorts.isEmpty { self.kernel.violated("did not report a held port") }
    // Whatever happens later, the report is not given twice.
    for _ in 0..<100 where self.time.step() {}
    if self.outcomes.count != 1 { self.kernel.violated("reported \(self.outcomes.count) times") }
  }

  // MARK: Observer

  func workerNoted(_ name: String, _ note: String, isTrouble: Bool) {}
  func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?) {
    guard let index = Int(name.dropFirst()) else { return }
    if state == .stopped { self.stopped.insert(index) } else { self.stopped.remove(index) }
  }

  func allReady() {}
  func statusChanged(_ status: String, stopping: Bool) {}
  func stopBegan(_ reason: String, budget: Duration) {
    if self.stoppedAt != nil, self.master.phase != .stopping { self.kernel.violated("began to stop twice") }
  }
  func ended(_ outcome: ShutdownOutcome) { self.outcomes.append(outcome) }
}

enum StopPlan {
  static func random(using random: inout SeededRandom) -> [StopStep] {
    var steps: [StopStep] = []
    if random.chance(40) {
      steps.append(.request(method: "POST", path: "/shutdown", wait: random.milliseconds(100...5000)))
    }
    if random.chance(90) { steps.append(.signal(.terminate, wait: random.milliseconds(0...5000))) }
    if random.chance(50) { steps.append(.signal(.interrupt, wait: random.milliseconds(0...2000))) }
    steps.append(.signal(.kill, wait: nil))
    return steps
  }
}

extension Behaviour {
  static func random(using random: inout SeededRandom, depth: Int = 0) -> Behaviour {
    var behaviour = Behaviour()
    if random.chance(30) { behaviour.onTerminate = .ignores }
    if random.chance(30) {
      behaviour.onTerminate = .ends(after: random.milliseconds(0...4000), .exited(Int32(random.next() % 2)))
    }
    if random.chance(50) { behaviour.onInterrupt = .ignores }
    behaviour.diesOfKillAfter = random.chance(2) ? nil : random.milliseconds(0...30)
    behaviour.forksWhileDying = random.chance(15)
    if random.chance(80) { behaviour.listensAfter = random.milliseconds(0...3000) }
    if random.chance(30) {
      behaviour.ends = (random.milliseconds(1...15_000), .exited(Int32(random.next() % 3)))
    }
    switch random.next() % 4 {
    case 0: behaviour.onRequest = nil
    case 1: behaviour.onRequest = .refuses
    default: behaviour.onRequest = .agrees(thenEndsAfter: random.milliseconds(0...3000))
    }
    if depth < 2 {
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        behaviour.children.append(
          Child(
            behaviour: .random(using: &random, depth: depth + 1), ownSession: random.chance(40),
            orphaned: random.chance(30), hidesCookie: random.chance(5)))
      }
    }
    return behaviour
  }
}
