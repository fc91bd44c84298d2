import ProcCtl
import Supervision

/// All ports are free, nobody answers or has clients, and there is nothing to clean up: what a test is
/// about, its subclass overrides.
class SilentSurroundings: WorkerNetwork, WorkerStarter, CleanupRunner {
  func verdict(onPort port: UInt16) -> PortVerdict { .free }
  func end(_ processes: [ProcessIdentity], completion: @escaping (HolderEnd) -> Void) -> any HolderStop {
    NothingUnderWay()
  }
  func awaitReadiness(
    of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
    whenReady: @escaping () -> Void
  ) -> any ReadinessSearch { NothingUnderWay() }
  func send(
    _ request: StopRequest, toPort port: UInt16?, members: [ProcessIdentifier],
    completion: @escaping (StopAnswer) -> Void
  ) -> any Cancellable { NothingUnderWay() }
  func clients(on ports: [ClientPort]) throws(ProcessError) -> [UInt16: Int] { [:] }
  func disconnectClients(on port: ClientPort) throws(ProcessError) -> Disconnection {
    Disconnection(ended: 0, left: 0)
  }

  func command(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker {
    PreparedWorker(command: Command(.name("worker"), environment: .empty))
  }

  var longest: Duration { .zero }
  func hurry() {}
  func kill() {}
  func run(completion: @escaping ([String]) -> Void) { completion([]) }
}

/// Never calls back.
final class NothingUnderWay: HolderStop, ReadinessSearch {
  func missing(closely: Bool) -> String? { nil }
  func cancel() {}
  func skipToKill() {}
}
