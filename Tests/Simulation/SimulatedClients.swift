internal import ProcCtl

/// What a client of a simulated worker does.
struct ClientPlan {
  /// From the moment the port is listened on.
  var comesAfter: Duration
  /// Nil if it never leaves by itself.
  var leavesAfter: Duration?
  /// It connects again soon after it was disconnected.
  var comesBack: Bool
}

/// The connections on workers' ports, by the truth.
final class SimulatedClients {
  final class Client {
    let plan: ClientPlan
    let server: SimulatedProcess
    let since: MonotonicInstant

    init(plan: ClientPlan, server: SimulatedProcess, since: MonotonicInstant) {
      self.plan = plan
      self.server = server
      self.since = since
    }
  }

  private static let pauseBeforeReturn = Duration.milliseconds(30)

  private unowned let kernel: SimulatedKernel
  private var byPort: [UInt16: [Client]] = [:]
  /// When somebody last came or left.
  private(set) var lastChange: [UInt16: MonotonicInstant] = [:]
  /// Called before the master ends the connections on a worker's port.
  var whenDisconnecting: (_ owner: Int, _ count: Int) -> Void = { _, _ in }

  init(kernel: SimulatedKernel) {
    self.kernel = kernel
  }

  func connected(on port: UInt16) -> [Client] { self.byPort[port] ?? [] }

  func began(_ server: SimulatedProcess, on port: UInt16) {
    for plan in server.behaviour.clients {
      self.kernel.time.after(plan.comesAfter) { [unowned self] in self.come(plan, to: server, on: port) }
    }
  }

  private func come(_ plan: ClientPlan, to server: SimulatedProcess, on port: UInt16) {
    guard server.port == port, server.exit == nil else { return }
    let client = Client(plan: plan, server: server, since: self.kernel.now)
    self.byPort[port, default: []].append(client)
    self.changed(port, server, "a client comes")
    guard let stay = plan.leavesAfter else { return }
    self.kernel.time.after(stay) { [unowned self] in
      guard let place = self.byPort[port]?.firstIndex(where: { $0 === client }) else { return }
      self.byPort[port]?.remove(at: place)
      self.changed(port, server, "a client leaves")
    }
  }

  /// Its end ends its connections.
  func ended(_ server: SimulatedProcess) {
    guard let port = server.port, self.byPort[port] != nil else { return }
    self.byPort[port] = nil
    self.lastChange[port] = self.kernel.now
  }

  /// The master ends the connections on the port.
  func disconnect(_ clients: [Client], on port: UInt16) {
    guard let server = clients.first?.server else { return }
    self.whenDisconnecting(server.owner, clients.count)
    self.byPort[port]?.removeAll { client in clients.contains { $0 === client } }
    self.changed(port, server, "\(clients.count) disconnected")
    for client in clients where client.plan.comesBack {
      self.kernel.time.after(Self.pauseBeforeReturn) { [unowned self] in
        self.come(client.plan, to: server, on: port)
      }
    }
  }

  private func changed(_ port: UInt16, _ server: SimulatedProcess, _ what: String) {
    self.lastChange[port] = self.kernel.now
    let left = self.connected(on: port).count
    self.kernel.note(server.owner, "\(what); \(left) on port \(port)")
    guard left == 0, let status = server.endsWhenAlone else { return }
    self.kernel.later(.milliseconds(1), server) { kernel in
      if kernel.clients.connected(on: port).isEmpty { kernel.end(server, status) }
    }
  }

  /// It would end now, unless it waits for its clients.
  func endOrWait(_ server: SimulatedProcess, _ status: TerminationStatus) {
    guard server.behaviour.waitsForClients, let port = server.port, !self.connected(on: port).isEmpty else {
      return self.kernel.end(server, status)
    }
    server.endsWhenAlone = status
  }
}
