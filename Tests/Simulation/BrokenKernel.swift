internal import ProcCtl

/// The simulated kernel as a careless driver would use it: waits that reap where
/// they should only look, answers kept for too long, signals left out.
final class BrokenKernel: Kernel {
  private let kernel: SimulatedKernel
  private let bug: PlantedBug
  private var reaped: [ProcessIdentifier: TerminationStatus] = [:]
  private var oldChildren: [ProcessIdentifier: (until: MonotonicInstant, [ProcessIdentifier])] = [:]
  private var oldStatus: [ProcessIdentifier: (until: MonotonicInstant, ProcessStatus?)] = [:]

  init(kernel: SimulatedKernel, bug: PlantedBug) {
    self.kernel = kernel
    self.bug = bug
  }

  var now: MonotonicInstant { self.kernel.now }
  var selfIdentifier: ProcessIdentifier { self.kernel.selfIdentifier }

  func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
    let identity = try self.kernel.spawn(command)
    self.oldChildren[self.selfIdentifier] = nil
    return identity
  }

  func status(of process: ProcessIdentifier) -> ProcessStatus? {
    guard self.bug == .actsOnOldLook else { return self.kernel.status(of: process) }
    if let (until, status) = self.oldStatus[process], self.now < until { return status }
    let status = self.kernel.status(of: process)
    self.oldStatus[process] = (self.now.advanced(by: .milliseconds(50)), status)
    return status
  }

  func children(of process: ProcessIdentifier) -> [ProcessIdentifier] {
    guard self.bug == .actsOnOldLook else { return self.childrenSeen(of: process) }
    if let (until, children) = self.oldChildren[process], self.now < until { return children }
    let children = self.kernel.children(of: process)
    self.oldChildren[process] = (self.now.advanced(by: .milliseconds(50)), children)
    return children
  }

  private func childrenSeen(of process: ProcessIdentifier) -> [ProcessIdentifier] {
    let children = self.kernel.children(of: process)
    switch self.bug {
    case .forgetsGuardsOrphans where process == self.selfIdentifier:
      return children.filter { self.kernel.processes[$0]?.guardian == nil }
    case .overlooksLeftovers where self.kernel.processes[process]?.guards?.hasProgramEnded == true:
      return []
    default: return children
    }
  }

  func allProcesses() -> [ProcessStatus] { self.kernel.allProcesses() }

  func cookie(of process: ProcessIdentifier) -> ByteString? { self.kernel.cookie(of: process) }

  func peekExit(of child: ProcessIdentifier) -> TerminationStatus? {
    guard self.bug == .reapsLeaderFirst else { return self.kernel.peekExit(of: child) }
    if let status = self.reaped[child] { return status }
    let status = self.kernel.reap(child)
    self.reaped[child] = status
    return status
  }

  func peekAnyExit() -> AnyChildExit {
    let answer = self.kernel.peekAnyExit()
    if self.bug == .reapsLeaderFirst, case .ended(let child, _) = answer {
      self.reaped[child] = self.kernel.reap(child)
    }
    return answer
  }

  func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
    self.reaped.removeValue(forKey: child) ?? self.kernel.reap(child)
  }

  func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery {
    if self.bug == .forgetsContinue, signal == .continue { return .sent }
    return try self.kernel.send(signal, to: process)
  }

  func send(_ signal: Signal, toGroupOf child: ProcessIdentifier) throws(ProcessError) -> SignalDelivery {
    try self.kernel.send(signal, toGroupOf: child)
  }
}
