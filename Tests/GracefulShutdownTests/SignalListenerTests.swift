import Glibc
import GracefulShutdown
import Testing

/// Signals belong to a whole process, so each is tried in one of its own.
@Suite(.timeLimit(.minutes(2))) struct SignalListenerTests {
  @Test func aSignalInitiatesTheShutdownAndARepeatedOneIsIgnored() async {
    await #expect(processExitsWith: .exitCode(7)) {
      let coordinator = ShutdownCoordinator(logger: .silent)
      try coordinator.listenForSignals()
      let token = try coordinator.beginRequest("held")
      kill(getpid(), SIGTERM)
      for await phase in coordinator.phases where phase == .drainingRequests { break }
      kill(getpid(), SIGINT)
      for await statistics in coordinator.progress where statistics.refusedInitiations == 1 { break }
      token.end()
      await coordinator.exitWhenFinished { report in
        report.reason == "received SIGTERM" && report.refusedInitiations == 1 ? 7 : 1
      }
    }
  }

  /// The negative control.
  @Test func withoutListeningASignalEndsTheProcess() async {
    await #expect(processExitsWith: .signal(SIGTERM)) {
      let coordinator = ShutdownCoordinator(logger: .silent)
      kill(getpid(), SIGTERM)
      await coordinator.exitWhenFinished()
    }
  }

  @Test func thereIsOneOwner() async {
    await #expect(processExitsWith: .exitCode(7)) {
      try ShutdownCoordinator(logger: .silent).listenForSignals()
      do throws(ShutdownSetupError) {
        try ShutdownCoordinator(logger: .silent).listenForSignals()
      } catch {
        exit(error.description == "the signals of this process are listened for already" ? 7 : 1)
      }
    }
    await #expect(processExitsWith: .exitCode(7)) {
      signal(SIGINT) { _ in }
      do throws(ShutdownSetupError) {
        try ShutdownCoordinator(logger: .silent).listenForSignals()
      } catch {
        exit(error.description == "SIGINT has a handler already" ? 7 : 1)
      }
    }
  }

  @Test func whatABackgroundJobIgnoresStaysIgnored() async {
    await #expect(processExitsWith: .exitCode(7)) {
      signal(SIGINT, SIG_IGN)
      signal(SIGTERM, SIG_IGN)
      let coordinator = ShutdownCoordinator(logger: .silent)
      try coordinator.listenForSignals()
      kill(getpid(), SIGINT)
      kill(getpid(), SIGTERM)
      await coordinator.exitWhenFinished { $0.reason == "received SIGTERM" ? 7 : 1 }
    }
  }
}
