internal import ProcCtl
internal import SeededRandom
internal import Supervision

/// One run of a whole master over simulated workers, made from a seed, with the
/// rules checked after every step.
package final class SimulatedRun {
  package let seed: UInt64
  package let trace: Trace
  private let time = VirtualTime()
  private let kernel: SimulatedKernel
  private let network: SimulatedNetwork
  private let schedule: Schedule
  private let resources: SimulatedResources
  private let master: Master
  private let rules: RuleKeeper
  package private(set) var steps = 0
  /// The same in every run of the same seed, in whatever process.
  package private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

  /// How much the kernel was asked, in lines read and waits.
  package var reads: Int { self.kernel.readCount }

  /// - Parameters:
  ///   - workers: How many; nil lets the seed decide.
  ///   - bug: What is broken on purpose.
  package init(seed: UInt64, workers: Int? = nil, bug: PlantedBug? = nil, isTraced: Bool = false) {
    self.seed = seed
    var random = SeededRandom(seed: seed)
    let schedule = Schedule(workers: workers, using: &random)
    let trace = Trace(isOn: isTraced)
    let kernel = SimulatedKernel(
      time: self.time, seed: random.next(), faults: schedule.faults, trace: trace)
    self.schedule = schedule
    self.trace = trace
    self.kernel = kernel
    self.network = SimulatedNetwork(
      kernel: kernel, cleanupTime: schedule.cleanupTime, guards: schedule.guards, bug: bug)
    self.resources = SimulatedResources(kernel: kernel, bug: bug)
    self.master = Master(
      definitions: schedule.definitions,
      timeouts: ShutdownTimeouts(clients: schedule.clientTimeout, ports: RuleKeeper.portTimeout),
      kernel: bug?.kernel(over: kernel) ?? kernel, scheduler: self.time, network: self.network,
      starter: self.network, cleanups: self.network, seed: random.next(),
      life: { definition, timeouts, seed in
        let life = Master.life(of: definition, timeouts: timeouts, seed: seed)
        return bug?.policy(over: life) ?? life
      }, order: bug?.order(over: ShutdownOrder()) ?? ShutdownOrder())
    self.rules = RuleKeeper(schedule: schedule, kernel: kernel, master: self.master)
    let behaviours = schedule.behaviours
    let definitions = schedule.definitions
    kernel.behaviour = { behaviours[$0] }
    kernel.port = { definitions[$0].port }
    kernel.whenChildrenChange = { [unowned self] in
      // Then it is the cleanups' affair.
      if self.master.phase != .cleaning { self.master.childrenChanged() }
    }
    self.network.whenCleaning = { [unowned self] in self.rules.verified() }
    self.master.observer = self.rules
    self.master.resources = self.resources
  }

  /// Runs to the end, or to the first broken rule, and returns the broken rules.
  package func violations() -> [Violation] {
    for (after, command) in self.schedule.commands {
      self.time.after(after) { [unowned self] in self.perform(command) }
    }
    self.master.start()
    while self.rules.violations.isEmpty, !self.rules.hasEnded {
      guard self.time.step() else {
        self.rules.violated(.oneReport, nil, "nothing is planned any more, and there was no report")
        break
      }
      self.steps += 1
      self.rules.check()
      self.mix(UInt64(bitPattern: self.time.now.nanoseconds))
      self.mix(UInt64(self.kernel.eventCount))
    }
    // Whatever happens later, the report is not given twice.
    if self.rules.violations.isEmpty {
      self.master.stop(reason: "after the end")
      self.master.kill()
      for _ in 0..<100 where self.time.step() {}
      self.rules.checkAfterTheEnd()
    }
    return self.rules.violations
  }

  /// FNV-1a, a word at a time.
  private func mix(_ word: UInt64) {
    self.digest = (self.digest ^ word) &* 0x0000_0100_0000_01b3
  }

  private func perform(_ command: Schedule.Command) {
    switch command {
    case .restart(let index):
      self.kernel.note(index, "commanded to restart")
      if self.master.phase == .running { self.rules.commanded(index, toStop: false) }
      self.master.restart(worker: self.schedule.definitions[index].name)
    case .stop(let index):
      self.kernel.note(index, "commanded to stop")
      if self.master.phase == .running { self.rules.commanded(index, toStop: true) }
      self.master.stop(worker: self.schedule.definitions[index].name)
    case .start(let index):
      self.kernel.note(index, "commanded to start")
      if self.master.phase == .running { self.rules.commanded(index, toStop: false) }
      self.master.start(worker: self.schedule.definitions[index].name)
    case .steal(let port, let duration): self.steal(port, for: duration, tries: 200)
    case .stopMaster:
      self.kernel.note(nil, "commanded to stop")
      self.rules.masterCommandedToStop()
      self.master.stop(reason: "the schedule")
    case .hurry:
      self.kernel.note(nil, "commanded to hurry")
      self.rules.isHurried = true
      self.master.hurry()
    case .kill:
      self.kernel.note(nil, "commanded to kill")
      self.rules.isHurried = true
      self.master.kill()
    }
  }

  private func steal(_ port: UInt16, for duration: Duration?, tries: Int) {
    guard self.kernel.ports.steal(port) else {
      if tries > 0 {
        self.time.after(.milliseconds(7)) { [unowned self] in
          self.steal(port, for: duration, tries: tries - 1)
        }
      }
      return
    }
    self.kernel.note(nil, "a stranger has bound port \(port)")
    guard let duration else { return }
    self.time.after(duration) { [unowned self] in
      self.kernel.note(nil, "the stranger lets go of port \(port)")
      self.kernel.ports.giveBack(port)
    }
  }
}
