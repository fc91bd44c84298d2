internal import ProcCtl
internal import SeededRandom
internal import SystemPackage

/// The simulated kernel with a /proc that cannot be read now and then, for a while: who is there cannot
/// be seen then, and all else goes on.
final class BlindKernel: Kernel {
  private let kernel: SimulatedKernel
  /// When nothing can be seen, since the start of the run.
  private let windows: [Range<Duration>]

  /// - Returns: Nil for most seeds.
  init?(kernel: SimulatedKernel, seed: UInt64) {
    // Numbers of its own: what else a seed stands for stays as it is.
    var random = SeededRandom(seed: seed ^ 0xb11d)
    guard random.chance(15) else { return nil }
    self.kernel = kernel
    self.windows = (0..<Int.random(in: 1...8, using: &random)).map { _ in
      let begin = random.milliseconds(0...20_000)
      return begin..<begin + random.milliseconds(1...200)
    }
  }

  private func look() throws(ProcessError) {
    let elapsed = self.kernel.time.elapsed
    guard self.windows.contains(where: { $0.contains(elapsed) }) else { return }
    self.kernel.note(nil, "nobody can be seen: EMFILE")
    throw ProcessError(.inspect, doing: "read /proc", underlyingError: .tooManyOpenFiles)
  }

  var now: MonotonicInstant { self.kernel.now }
  var selfIdentifier: ProcessIdentifier { self.kernel.selfIdentifier }

  func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity { try self.kernel.spawn(command) }

  func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? {
    try self.look()
    return self.kernel.status(of: process)
  }

  func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] {
    try self.look()
    return self.kernel.children(of: process)
  }

  func allProcesses() throws(ProcessError) -> [ProcessStatus] {
    try self.look()
    return self.kernel.allProcesses()
  }

  func cookie(of process: ProcessIdentifier) throws(ProcessError) -> ByteString? {
    try self.look()
    return self.kernel.cookie(of: process)
  }

  func peekExit(of child: ProcessIdentifier) -> TerminationStatus? { self.kernel.peekExit(of: child) }

  func peekAnyExit() -> AnyChildExit { self.kernel.peekAnyExit() }

  func reap(_ child: ProcessIdentifier) -> TerminationStatus? { self.kernel.reap(child) }

  func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery {
    try self.kernel.send(signal, to: process)
  }

  func send(_ signal: Signal, toGroupOf child: ProcessIdentifier) throws(ProcessError) -> SignalDelivery {
    try self.kernel.send(signal, toGroupOf: child)
  }
}
