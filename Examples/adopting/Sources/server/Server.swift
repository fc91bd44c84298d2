import Dispatch
import Glibc
import GracefulShutdown

/// Answers each line of its standard input, slowly, and ends in order on SIGTERM.
@main struct Server {
  static func main() async throws {
    let shutdown = ShutdownCoordinator(timeouts: ShutdownTimeouts(requests: .seconds(20)))
    try shutdown.addCleanup("flush") { print("flushed") }

    signal(SIGTERM, SIG_IGN)
    let terminate = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
    terminate.setEventHandler { @Sendable in shutdown.initiate(reason: .signal("SIGTERM")) }
    terminate.activate()

    BlockingInput.forEachLine { line in
      Task {
        do {
          let answer = try await shutdown.withRequest(line) {
            try await Task.sleep(for: .seconds(1))
            return "answer to \(line)"
          }
          print(answer)
        } catch {
          print("no answer to \(line): \(error)")
        }
      }
    }

    let report = await shutdown.report
    print(report)
    exit(report.isClean ? 0 : 1)
  }
}
