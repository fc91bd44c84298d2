import Dispatch
import GracefulShutdown

// A server that answers each line of its standard input, slowly, and ends in order on SIGTERM.
let shutdown = ShutdownCoordinator(timeouts: ShutdownTimeouts(requests: .seconds(20)))
try shutdown.addCleanup("flush") { print("flushed") }

signal(SIGTERM, SIG_IGN)
let terminate = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
terminate.setEventHandler { shutdown.initiate(reason: .signal("SIGTERM")) }
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
      print("refused or cancelled: \(error)")
    }
  }
}

let report = await shutdown.report
print(report)
exit(report.isClean ? 0 : 1)
