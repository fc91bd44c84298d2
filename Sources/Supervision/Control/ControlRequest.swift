/// What a caller of the control socket wants. A value: the bytes of a call in, the request or an error out.
package enum ControlRequest: Sendable, Equatable {
  case info
  case description(String)
  case status
  case command(WorkerCommand, workers: [String], waits: Bool)
  case stopMaster
  case monitor

  private struct Interface: Codable { var interface: String }
  private struct Workers: Codable {
    var workers: [String]
    var wait: Bool?
  }

  /// - Returns: nil for what is no call at all, after which nothing more can be understood.
  package static func read(
    _ message: [UInt8]
  ) -> (call: VarlinkCall, request: Result<ControlRequest, VarlinkError>)? {
    guard let call = VarlinkMessage.call(in: message) else { return nil }
    do throws(VarlinkError) {
      return (call, .success(try self.request(call, message)))
    } catch {
      return (call, .failure(error))
    }
  }

  private static func request(
    _ call: VarlinkCall, _ message: [UInt8]
  ) throws(VarlinkError) -> ControlRequest {
    guard let dot = call.method.lastIndex(of: ".") else { throw .methodNotFound(call.method) }
    let (interface, method) = (call.method[..<dot], call.method[call.method.index(after: dot)...])
    switch (String(interface), method) {
    case (ControlInterface.service, "GetInfo"): return .info
    case (ControlInterface.service, "GetInterfaceDescription"):
      guard let parameters = VarlinkMessage.parameters(of: message, as: Interface.self) else {
        throw .invalidParameter("interface")
      }
      return .description(parameters.interface)
    case (ControlInterface.name, "Status"): return .status
    case (ControlInterface.name, "Start"): return try self.command(.start, message)
    case (ControlInterface.name, "Stop"): return try self.command(.stop, message)
    case (ControlInterface.name, "Restart"): return try self.command(.restart, message)
    case (ControlInterface.name, "StopMaster"): return .stopMaster
    case (ControlInterface.name, "Monitor"):
      guard call.more == true else { throw .expectedMore }
      return .monitor
    case (ControlInterface.service, _), (ControlInterface.name, _): throw .methodNotFound(call.method)
    default: throw .interfaceNotFound(String(interface))
    }
  }

  private static func command(_ command: WorkerCommand, _ message: [UInt8]) throws(VarlinkError)
    -> ControlRequest
  {
    guard let parameters = VarlinkMessage.parameters(of: message, as: Workers.self),
      !parameters.workers.isEmpty
    else { throw .invalidParameter("workers") }
    return .command(command, workers: parameters.workers, waits: parameters.wait ?? true)
  }
}

/// Which workers have yet to get where they were commanded to go. A value.
package struct WorkerWait: Sendable, Equatable {
  package let command: WorkerCommand
  package let workers: [String]
  private var missing: Set<String>

  package init(_ command: WorkerCommand, workers: [String]) {
    self.command = command
    self.workers = workers
    self.missing = Set(workers)
  }

  package var isOver: Bool { self.missing.isEmpty }

  /// The worker is in this state now.
  package mutating func saw(_ worker: String, in state: WorkerState) {
    if self.isSettled(state) { self.missing.remove(worker) }
  }

  /// Whether a worker in this state goes nowhere by itself, or not for a while.
  private func isSettled(_ state: WorkerState) -> Bool {
    switch state {
    case .stopped, .failed: true
    case .ready, .blocked, .backoff: self.command != .stop
    case .waiting, .starting, .stopping, .verifying: false
    }
  }

  /// Whether this is where the command was to lead.
  package static func isReached(_ command: WorkerCommand, _ state: String) -> Bool {
    state == "\(command == .stop ? WorkerState.stopped : WorkerState.ready)"
  }
}
