internal import ProcCtl
internal import SeededRandom
internal import Supervision

/// What a run consists of, drawn from its seed before it begins: the workers and
/// what they do, the faults, and who commands what and when.
struct Schedule {
  enum Command {
    case restart(Int)
    case stop(Int)
    case start(Int)
    /// A stranger binds the worker's port as soon as it can, and keeps it for this long; nil for ever.
    case steal(UInt16, for: Duration?)
    case stopMaster
    case hurry
    case kill
  }

  let behaviours: [Behaviour]
  let definitions: [WorkerDefinition]
  /// Which worker runs under which kind of guard; nil for none.
  let guards: [GuardPlan.Kind?]
  let faults: SimulatedKernel.Faults
  let cleanupTime: Duration
  let clientTimeout: Duration
  private(set) var commands: [(after: Duration, Command)] = []

  init(workers: Int?, using random: inout SeededRandom) {
    let count =
      workers ?? Int.random(in: 1...(random.chance(2) ? 150 : 12), using: &random)
    self.behaviours = (0..<count).map { _ in Behaviour.random(using: &random) }
    self.definitions = (0..<count).map { index in
      var definition = WorkerDefinition(
        name: "w\(index)", command: ["\(index)"], port: random.chance(70) ? UInt16(2000 + index) : nil,
        stop: Self.stopSteps(using: &random), restart: random.chance(80) ? .always : .onFailure,
        startTimeout: .seconds(10))
      definition.removesIPC = index < SimulatedResources.workers
      return definition
    }
    self.guards = (0..<count).map { _ in
      random.chance(30) ? (random.chance(25) ? .pidNamespace : .subreaper) : nil
    }
    var faults = SimulatedKernel.Faults()
    faults.spawnFailures = random.chance(20) ? 20 : 0
    faults.childSignalDelay = random.chance(20) ? .milliseconds(50) : .milliseconds(3)
    // Looking for the lowest number takes a look at all of them.
    faults.reusesNumbers = random.chance(50) && count <= 200
    // Sometimes there are not enough of them.
    if random.chance(5) { faults.pidLimit = Int32(110 + count * 4) }
    faults.mayDestroySockets = random.chance(70)
    faults.tableFailures = random.chance(10) ? 20 : 0
    self.faults = faults
    self.clientTimeout = random.chance(40) ? .seconds(30) : random.milliseconds(0...6000)
    self.cleanupTime = random.chance(30) ? random.milliseconds(1...100) : .zero
    self.draw(using: &random)
  }

  private mutating func draw(using random: inout SeededRandom) {
    let count = self.definitions.count
    let stop = random.milliseconds(0...20_000)
    self.commands.append((stop, .stopMaster))
    for _ in 0..<Int.random(in: 0...(4 + count / 4), using: &random) {
      let index = Int.random(in: 0..<count, using: &random)
      let kinds: [Command] = [.restart(index), .stop(index), .stop(index), .start(index)]
      let command = kinds[Int.random(in: 0..<kinds.count, using: &random)]
      self.commands.append((random.milliseconds(0...20_000), command))
    }
    let ports = self.definitions.compactMap(\.port)
    for _ in 0..<(random.chance(25) ? 1 + count / 10 : 0) {
      guard let port = ports.randomElement(using: &random) else { break }
      let duration = random.chance(50) ? random.milliseconds(1...8000) : nil
      self.commands.append((random.milliseconds(0...20_000), .steal(port, for: duration)))
    }
    if random.chance(20) { self.commands.append((stop + random.milliseconds(1...8000), .hurry)) }
    if random.chance(10) { self.commands.append((stop + random.milliseconds(1...8000), .kill)) }
    if random.chance(20) { self.commands.append((stop + random.milliseconds(0...8000), .stopMaster)) }
  }

  private static func stopSteps(using random: inout SeededRandom) -> [StopStep] {
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
    behaviour.refusesSignals = depth > 0 && random.chance(2)
    behaviour.forksWhileDying = random.chance(15)
    if random.chance(80) { behaviour.listensAfter = random.milliseconds(0...3000) }
    if random.chance(30) {
      // Now and then at once, even before it can be asked how it is.
      let after = random.chance(20) ? .zero : random.milliseconds(1...15_000)
      behaviour.ends = (after, .exited(Int32(random.next() % 3)))
    }
    if random.chance(10) { behaviour.isStoppedAfter = random.milliseconds(0...20_000) }
    if random.chance(5) {
      behaviour.forks = (random.milliseconds(5...1000), Int.random(in: 1...20, using: &random))
    }
    switch random.next() % 4 {
    case 0: behaviour.onRequest = nil
    case 1: behaviour.onRequest = .refuses
    default: behaviour.onRequest = .agrees(thenEndsAfter: random.milliseconds(0...3000))
    }
    behaviour.waitsForClients = random.chance(40)
    for _ in 0..<(random.chance(40) ? Int.random(in: 1...4, using: &random) : 0) {
      behaviour.clients.append(
        ClientPlan(
          comesAfter: random.milliseconds(0...15_000),
          leavesAfter: random.chance(30) ? nil : random.milliseconds(0...8000), comesBack: random.chance(30)))
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
