package import ProcCtl
internal import SystemPackage

/// The master as the control socket sees it.
package protocol ControlledMaster: AnyObject {
  var statusSnapshot: MasterStatusSnapshot { get }
  func workerSnapshot(_ name: String) -> MasterStatusSnapshot.Worker?
  func workerState(_ name: String) -> WorkerState?
  /// Why it is being stopped; nil while it is not.
  var stopReason: String? { get }
  var phaseName: String { get }
  func command(_ command: WorkerCommand, worker: String)
  func stopMaster(by peer: PeerCredentials)
}

/// A change as `Monitor` tells it.
package struct ControlEvent: Codable, Sendable, Equatable {
  package var phase: String
  package var worker: String?
  package var state: String?
  package var pid: Int32?
  package var text: String?
}

/// Serves the control socket on the event loop: whoever may command this process gets to. Calls of one
/// connection are answered in their order; a command is answered when its workers are where they were to go.
///
/// Confined to the loop's thread.
package final class ControlEndpoint {
  private static let connections = 32

  private let loop: EventLoop
  private unowned let master: any ControlledMaster
  private let user: UInt32
  private var listener: StreamListener?
  private var callers: [ControlCaller] = []

  /// - Parameter user: Whose processes, beside root's, may command.
  package init(
    _ socket: ListeningSocket, on loop: EventLoop, master: any ControlledMaster, user: UInt32
  ) {
    self.loop = loop
    self.master = master
    self.user = user
    self.listener = StreamListener(socket, on: loop, limit: Self.connections) { [unowned self] in
      self.serve($0)
    }
  }

  /// - Throws: `ProcessError` with code `.eventLoop`.
  package func start() throws(ProcessError) { try self.listener?.start() }

  package func close() {
    self.listener?.close()
    self.callers = []
  }

  private func serve(_ descriptor: FileDescriptor) -> StreamConnection? {
    let peer = PeerCredentials(of: descriptor)
    guard let connection = try? StreamConnection(descriptor, on: self.loop) else { return nil }
    guard let peer, peer.mayCommand(self.user) else {
      connection.whenEnded = { [unowned connection] in connection.abort() }
      connection.whenClosed = { [weak self, unowned connection] in self?.listener?.forget(connection) }
      connection.send(VarlinkMessage.error(.permissionDenied))
      connection.finish()
      return connection
    }
    let caller = ControlCaller(connection, loop: self.loop, master: self.master, peer: peer)
    connection.whenReceived = { caller.received($0) }
    connection.whenClosed = { [weak self, unowned connection] in
      caller.closed()
      self?.callers.removeAll { $0 === caller }
      self?.listener?.forget(connection)
    }
    caller.turns.whenUsed = { [weak self, unowned connection] in self?.listener?.used(connection) }
    self.callers.append(caller)
    return connection
  }
}

extension ControlEndpoint: MasterObserver {
  package func workerChanged(_ name: String, _ state: WorkerState, _ why: String, pid: ProcessIdentifier?) {
    guard !self.callers.isEmpty else { return }
    let event = ControlEvent(
      phase: self.master.phaseName, worker: name, state: "\(state)", pid: pid?.value,
      text: why.isEmpty ? nil : why)
    for caller in self.callers {
      caller.tell(event)
      caller.saw(name, in: state)
    }
  }

  package func statusChanged(_ status: String, stopping: Bool) { self.tell(status) }

  package func stopBegan(_ reason: String, budget: Duration) {
    self.tell("stopping: \(reason)")
    for caller in self.callers { caller.masterStops(reason) }
  }

  package func ended(_ outcome: ShutdownOutcome) { self.tell("stopped: \(outcome.summary)") }

  private func tell(_ text: String) {
    for caller in self.callers { caller.tell(ControlEvent(phase: self.master.phaseName, text: text)) }
  }
}
