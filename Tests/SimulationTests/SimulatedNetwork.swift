import ProcCtl
import Supervision

/// Ports and requests of simulated workers, and what starts and cleans up around them.
final class SimulatedNetwork: WorkerNetwork, WorkerStarter, CleanupRunner {
  private let kernel: SimulatedKernel

  init(kernel: SimulatedKernel) {
    self.kernel = kernel
  }

  func holder(ofPort port: UInt16) -> String? { self.kernel.holder(of: port) }

  func awaitReadiness(
    of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
    whenReady: @escaping () -> Void
  ) -> any Cancellable {
    let token = Token()
    self.look(definition, members, token, whenReady)
    return token
  }

  private func look(
    _ definition: WorkerDefinition, _ members: @escaping () -> [ProcessIdentifier], _ token: Token,
    _ whenReady: @escaping () -> Void
  ) {
    self.kernel.time.after(.milliseconds(20)) { [unowned self] in
      guard !token.isCancelled else { return }
      let serves = members().contains { self.kernel.processes[$0]?.port == definition.port }
      if serves { whenReady() } else { self.look(definition, members, token, whenReady) }
    }
  }

  func send(
    _ request: StopRequest, toPort port: UInt16, members: [ProcessIdentifier],
    completion: @escaping (String?) -> Void
  ) -> any Cancellable {
    let token = Token()
    let listener = self.kernel.listener(on: port)
    self.kernel.time.after(.milliseconds(2)) { [unowned self] in
      guard !token.isCancelled else { return }
      switch listener?.behaviour.onRequest {
      case .agrees(let after):
        if let listener {
          self.kernel.time.after(after) { [unowned self] in self.kernel.end(listener, .exited(0)) }
        }
        completion(nil)
      case .refuses: completion("HTTP status 404")
      case nil:
        self.kernel.time.after(.seconds(5)) { if !token.isCancelled { completion("timed out") } }
      }
    }
    return token
  }

  func command(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker {
    PreparedWorker(
      command: Command(.name(ByteString(definition.command[0].text(descriptor: nil))), environment: .empty))
  }

  var longest: Duration { .zero }

  func hurry() {}

  func kill() {}

  func run(completion: @escaping ([String]) -> Void) { completion([]) }
}

private final class Token: Cancellable {
  private(set) var isCancelled = false

  func cancel() {
    self.isCancelled = true
  }
}
