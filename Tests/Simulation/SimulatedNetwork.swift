internal import ProcCtl
internal import Supervision

/// Ports and requests of simulated workers, and what starts and cleans up around them.
final class SimulatedNetwork: WorkerNetwork, WorkerStarter, CleanupRunner {
  private let kernel: SimulatedKernel
  private let cleanupTime: Duration
  private let guards: [GuardPlan.Kind?]
  private let bug: PlantedBug?
  /// Called when the cleanups begin: everything has been verified just now.
  var whenCleaning: () -> Void = {}

  /// - Parameters:
  ///   - cleanupTime: How long the cleanups take.
  ///   - guards: Which worker runs under which kind of guard, if any.
  init(kernel: SimulatedKernel, cleanupTime: Duration, guards: [GuardPlan.Kind?], bug: PlantedBug?) {
    self.kernel = kernel
    self.guards = guards
    self.bug = bug
    self.cleanupTime = cleanupTime
  }

  func verdict(onPort port: UInt16) -> PortVerdict {
    guard self.kernel.ports.holder(of: port) != nil else { return .free }
    let pid = self.kernel.ports.listener(on: port)?.identity.processIdentifier
    return .held([PortHolder(pid: pid, state: .listen, address: .tcp(.anyV4, port: port))])
  }

  func end(_ processes: [ProcessIdentity], completion: @escaping ([String]) -> Void) -> any HolderStop {
    let stop = SimulatedHolderStop()
    let kernel = self.kernel
    let target = Termination.Target(
      members: { () throws(ProcessError) in
        var living: [ProcessStatus] = []
        for process in processes {
          if let status = try process.living(kernel: kernel) { living.append(status) }
        }
        return living
      },
      send: { signal, members in kernel.send(signal, toAll: members) })
    let termination = Termination(
      scheduler: kernel.time, escalation: .standard(grace: .seconds(3)), target: target
    ) { result in
      kernel.time.after(.zero) { if !stop.isCancelled { completion(result.survivors.map(\.description)) } }
    }
    stop.termination = termination
    termination.start()
    return stop
  }

  func awaitReadiness(
    of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
    whenReady: @escaping () -> Void
  ) -> any Cancellable {
    let token = Token()
    self.look(definition, members, token, after: .milliseconds(20), whenReady)
    return token
  }

  private func look(
    _ definition: WorkerDefinition, _ members: @escaping () -> [ProcessIdentifier], _ token: Token,
    after pause: Duration, _ whenReady: @escaping () -> Void
  ) {
    self.kernel.time.after(pause) { [unowned self] in
      guard !token.isCancelled else { return }
      let serves = members().contains { self.kernel.processes[$0]?.port == definition.port }
      if serves { return whenReady() }
      self.look(definition, members, token, after: min(pause * 2, .milliseconds(250)), whenReady)
    }
  }

  func send(
    _ request: StopRequest, toPort port: UInt16, members: [ProcessIdentifier],
    completion: @escaping (String?) -> Void
  ) -> any Cancellable {
    let token = Token()
    let listener = self.kernel.ports.listener(on: port)
    self.kernel.time.after(.milliseconds(2)) { [unowned self] in
      guard !token.isCancelled else { return }
      switch listener?.behaviour.onRequest {
      case .agrees(let after):
        if let listener { self.kernel.later(after, listener) { $0.end(listener, .exited(0)) } }
        completion(nil)
      case .refuses: completion("HTTP status 404")
      case nil:
        self.kernel.time.after(.seconds(5)) { if !token.isCancelled { completion("timed out") } }
      }
    }
    return token
  }

  func command(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker {
    let name = definition.command[0].text(descriptor: nil)
    var prepared = PreparedWorker(command: Command(.name(ByteString(name)), environment: .empty))
    guard let owner = Int(name), let kind = self.guards[owner] else { return prepared }
    let guardian = SimulatedGuard(
      GuardPlan(kind, using: &self.kernel.random), of: owner, in: self.kernel)
    guardian.losesCommandEnd = self.bug == .ignoresGuardsWord
    self.kernel.preparedGuards[owner] = guardian
    prepared.workerGuard = guardian
    prepared.endsWithLeader = kind == .pidNamespace
    return prepared
  }

  var longest: Duration { self.cleanupTime }

  func hurry() {}

  func kill() {}

  func run(completion: @escaping ([String]) -> Void) {
    self.whenCleaning()
    if self.cleanupTime == .zero { return completion([]) }
    self.kernel.time.after(self.cleanupTime) { completion([]) }
  }
}

private final class SimulatedHolderStop: HolderStop {
  var termination: Termination?
  private(set) var isCancelled = false

  func cancel() { self.isCancelled = true }
  func skipToKill() { self.termination?.skipToKill() }
}

private final class Token: Cancellable {
  private(set) var isCancelled = false

  func cancel() {
    self.isCancelled = true
  }
}
