import Glibc
import ProcCtl

/// A process without children, which cannot start any: what a test is about, its subclass overrides.
class LonelyKernel: Kernel {
  private let time: (any Scheduler)?
  let selfIdentifier: ProcessIdentifier

  /// - Parameter time: Whose clock it has; the machine's where nothing that is tested looks at one.
  init(time: (any Scheduler)? = nil, selfIdentifier: ProcessIdentifier = ProcessIdentifier(getpid())) {
    self.time = time
    self.selfIdentifier = selfIdentifier
  }

  var now: MonotonicInstant { self.time?.now ?? .now }
  func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
    throw ProcessError(.spawn, doing: "start \(command.executable)")
  }
  func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? { nil }
  func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] { [] }
  func allProcesses() throws(ProcessError) -> [ProcessStatus] { [] }
  func cookie(of process: ProcessIdentifier) throws(ProcessError) -> ByteString? { nil }
  func peekExit(of child: ProcessIdentifier) -> TerminationStatus? { nil }
  func peekAnyExit() -> AnyChildExit { .noChildren }
  func reap(_ child: ProcessIdentifier) -> TerminationStatus? { nil }
  func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery { .gone }
  func send(
    _ signal: Signal, toGroupOf child: ProcessIdentifier
  ) throws(ProcessError) -> SignalDelivery { .gone }
}
