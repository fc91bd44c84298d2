internal import ProcCtl
internal import SeededRandom
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

  func end(_ processes: [ProcessIdentity], completion: @escaping (HolderEnd) -> Void) -> any HolderStop {
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
      let end = HolderEnd(
        lastSignal: result.lastSignal, survivors: result.survivors.map(\.description))
      kernel.time.after(.zero) { if !stop.isCancelled { completion(end) } }
    }
    stop.termination = termination
    termination.start()
    return stop
  }

  func awaitReadiness(
    of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
    whenReady: @escaping () -> Void
  ) -> any ReadinessSearch {
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
    _ request: StopRequest, toPort port: UInt16?, members: [ProcessIdentifier],
    completion: @escaping (StopAnswer) -> Void
  ) -> any Cancellable {
    let token = Token()
    let listener = port.flatMap { self.kernel.ports.listener(on: $0) }
    self.kernel.time.after(.milliseconds(2)) { [unowned self] in
      guard !token.isCancelled else { return }
      switch listener?.behaviour.onRequest {
      case .agrees(let after):
        if let listener { self.kernel.later(after, listener) { $0.clients.endOrWait(listener, .exited(0)) } }
        completion(.agreed(port.flatMap { self.report(on: $0) }))
      case .refuses: completion(.refused("HTTP status 404"))
      case nil:
        self.kernel.time.after(.seconds(5)) { if !token.isCancelled { completion(.refused("timed out")) } }
      }
    }
    return token
  }

  /// What it says of its clients: the truth, or nothing.
  private func report(on port: UInt16) -> ReportedClients? {
    guard self.kernel.random.chance(50) else { return nil }
    return ReportedClients(connected: self.kernel.clients.connected(on: port).count, requests: 0)
  }

  func clients(on ports: [ClientPort]) throws(ProcessError) -> [UInt16: Int] {
    var counts: [UInt16: Int] = [:]
    try self.readTable()
    for port in ports { counts[port.port] = self.visible(on: port).count }
    return counts
  }

  func disconnectClients(on port: ClientPort) throws(ProcessError) -> Disconnection {
    try self.readTable()
    let clients = self.visible(on: port)
    guard self.kernel.faults.mayDestroySockets else {
      return Disconnection(ended: 0, left: clients.count, obstacle: "EPERM")
    }
    self.kernel.clients.disconnect(clients, on: port.port)
    return Disconnection(ended: clients.count, left: 0)
  }

  private func readTable() throws(ProcessError) {
    guard
      self.kernel.faults.tableFailures == 0 || !self.kernel.random.chance(self.kernel.faults.tableFailures)
    else { throw ProcessError(.sockets, doing: "read the socket table") }
  }

  /// Connections whose end is one of the worker's processes, so far as it knows them.
  private func visible(on port: ClientPort) -> [SimulatedClients.Client] {
    let clients = self.kernel.clients.connected(on: port.port)
    guard !clients.isEmpty, let members = port.members() else { return clients }
    return clients.filter { members.contains($0.server.pid) }
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

private final class Token: ReadinessSearch {
  private(set) var isCancelled = false

  func missing(closely: Bool) -> String? { nil }

  func cancel() {
    self.isCancelled = true
  }
}
