import Glibc
import GracefulShutdown
import GracefulShutdownServiceLifecycle
import Logging
import ProcCtl
import ServiceLifecycle
import SupervisionServiceLifecycle
import SystemPackage
import UnixSignals

/// A program whose `ServiceGroup` has the signals, with a master and a coordinator as its services.
///
///     lifecycle-host PROCCTL CONFIGURATION
@main enum LifecycleHost {
  static func main() async {
    let arguments = CommandLine.arguments
    guard arguments.count == 3 else {
      print("usage: lifecycle-host PROCCTL CONFIGURATION")
      exit(64)
    }
    let logger = Logger(label: "lifecycle-host")
    let coordinator = ShutdownCoordinator(logger: logger)
    let master = MasterService(
      configuration: FilePath(arguments[2]), program: .path(FilePath(arguments[1])),
      stopLimit: .seconds(30), logger: logger)
    do {
      try coordinator.addCleanup("own cleanup") { print("own cleanup ran") }
      var configuration = ServiceGroupConfiguration(
        services: [.init(service: master), ShutdownService(coordinator).serviceConfiguration],
        gracefulShutdownSignals: [.sigterm, .sigint], cancellationSignals: [.sigquit], logger: logger)
      configuration.maximumGracefulShutdownDuration =
        coordinator.longestShutdown + master.longestStop + .seconds(5)
      try configuration.allowTime(for: coordinator)
      configuration.maximumCancellationDuration = MasterService.longestCancellation + .seconds(5)
      try await ServiceGroup(configuration: configuration).run()
      print("the group has ended")
      ExitGuard().exit(0)
    } catch {
      print("the group failed: \(error)")
      ExitGuard().exit(1)
    }
  }
}
