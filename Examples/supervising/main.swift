import Glibc
import Logging
import Supervision
import SystemdNotify

let web = WorkerDefinition(
  name: "web", command: ["python3", "-m", "http.server", "--bind", "127.0.0.1", "8080"], port: 8080)
let configuration = MasterConfiguration(
  shutdown: ShutdownTimeouts(workers: .seconds(20)), workers: [web])
let master = try MasterProcess(
  configuration, logger: Logger(label: "example") { TextLogHandler(label: $0) },
  notifier: ServiceNotifier())
master.addCleanup("goodbye") { print("every worker has ended") }
exit(master.run())
