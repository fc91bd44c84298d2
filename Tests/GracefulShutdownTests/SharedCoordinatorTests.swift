import Glibc
import GracefulShutdown
import Testing

/// What belongs to a whole process is tried in one of its own.
@Suite(.timeLimit(.minutes(2))) struct SharedCoordinatorTests {
  @Test func itIsBootstrappedOnce() async {
    await #expect(processExitsWith: .exitCode(7)) {
      let configuration = ShutdownConfiguration(timeouts: ShutdownTimeouts(requests: .seconds(3)))
      let made = try ShutdownCoordinator.bootstrap(configuration, logger: .silent)
      guard made === ShutdownCoordinator.shared, made.configuration == configuration else { exit(1) }
      do throws(ShutdownSetupError) {
        try ShutdownCoordinator.bootstrap(logger: .silent)
      } catch {
        exit(error.code == .alreadyBootstrapped && ShutdownCoordinator.shared === made ? 7 : 2)
      }
    }
  }

  @Test func onceUsedItStays() async {
    await #expect(processExitsWith: .exitCode(7)) {
      let used = ShutdownCoordinator.shared
      do throws(ShutdownSetupError) {
        try ShutdownCoordinator.bootstrap(logger: .silent)
      } catch {
        exit(ShutdownCoordinator.shared === used ? 7 : 2)
      }
    }
  }
}
