import Dispatch
import Glibc
import GracefulShutdown
import Testing

/// Each in a process of its own, whose exit status is looked at.
@Suite(.timeLimit(.minutes(2))) struct ExitGuardTests {
  @Test func theStatusComesFromTheReport() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let coordinator = ShutdownCoordinator(logger: .silent)
      coordinator.initiate(reason: "test")
      await coordinator.exitWhenFinished()
    }
    await #expect(processExitsWith: .exitCode(6)) {
      let coordinator = ShutdownCoordinator(logger: .silent)
      try coordinator.addCleanup("fails") { throw TestFailure("disk full") }
      coordinator.initiate(reason: "test")
      await coordinator.exitWhenFinished()
    }
    await #expect(processExitsWith: .exitCode(1)) {
      let coordinator = ShutdownCoordinator(timeouts: ShutdownTimeouts(requests: .zero), logger: .silent)
      let token = try coordinator.beginRequest("slow")
      token.onCancel { token.end() }
      coordinator.initiate(reason: "test")
      await coordinator.exitWhenFinished()
    }
    await #expect(processExitsWith: .exitCode(42)) {
      let coordinator = ShutdownCoordinator(logger: .silent)
      Task { coordinator.initiate(reason: "test") }
      await coordinator.exitWhenFinished { _ in 42 }
    }
  }

  @Test func anExitThatHangsIsCutShort() async {
    await #expect(processExitsWith: .exitCode(ExitGuard.overdueStatus)) {
      atexit { while true { pause() } }
      ExitGuard(timeout: .milliseconds(300)).exit(0)
    }
  }

  /// The negative control: what is slow but ends in time is let end.
  @Test func anExitThatIsSlowIsLetEnd() async {
    await #expect(processExitsWith: .exitCode(3)) {
      atexit { usleep(300_000) }
      ExitGuard(timeout: .seconds(30)).exit(3)
    }
  }

  /// With every thread for tasks blocked nothing in the shutdown itself can notice the time.
  @Test func aShutdownThatHangsIsCutShort() async {
    await #expect(processExitsWith: .exitCode(ExitGuard.overdueStatus)) {
      let timeouts = ShutdownTimeouts(
        requests: .milliseconds(100), cancelledRequests: .zero, clients: .zero, exit: .milliseconds(300))
      let coordinator = ShutdownCoordinator(timeouts: timeouts, logger: .silent)
      let token = try coordinator.beginRequest("slow")
      Task {
        let never = DispatchSemaphore(value: 0)
        Task.detached {
          for _ in 0..<256 { Task.detached { block(never) } }
          coordinator.initiate(reason: "test")
          block(never)
          token.end()
        }
      }
      await coordinator.exitWhenFinished()
    }
  }
}

private func block(_ semaphore: DispatchSemaphore) { semaphore.wait() }
