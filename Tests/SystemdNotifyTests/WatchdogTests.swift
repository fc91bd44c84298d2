import Glibc
import SystemdNotify
import Testing

@Suite("How often to ping")
struct WatchdogTests {
  @Test(
    "Half of the limit, also below two seconds",
    arguments: [
      (Duration.seconds(30), Duration.seconds(15)), (.seconds(3), .milliseconds(1500)),
      (.seconds(1), .milliseconds(500)), (.milliseconds(1), .microseconds(500)),
      (.microseconds(1), .nanoseconds(500)),
    ])
  func interval(timeout: Duration, expected: Duration) throws {
    let watchdog = try #require(Watchdog(timeout: timeout))
    #expect(watchdog.pingInterval == expected)
  }

  @Test("Due half a limit after the last, at once when late, and never after the deadline")
  func schedule() throws {
    let watchdog = try #require(Watchdog(timeout: .seconds(1)))
    let start = ContinuousClock.now
    #expect(watchdog.nextPing(after: start, now: start) == start + .milliseconds(500))
    #expect(
      watchdog.nextPing(after: start, now: start + .milliseconds(499)) == start + .milliseconds(500))
    #expect(
      watchdog.nextPing(after: start, now: start + .milliseconds(700)) == start + .milliseconds(700))
    #expect(watchdog.deadline(after: start) == start + .seconds(1))
  }

  @Test("No limit, no watchdog")
  func nothingToKeep() {
    #expect(Watchdog(timeout: .zero) == nil)
    #expect(Watchdog(timeout: .seconds(-1)) == nil)
  }

  @Test("Read from the environment, if meant for this process")
  func environment() async {
    await #expect(processExitsWith: .success) {
      unsetenv("WATCHDOG_USEC")
      unsetenv("WATCHDOG_PID")
      let unasked = try Watchdog.fromEnvironment()
      #expect(unasked == nil)
      setenv("WATCHDOG_USEC", "1500000", 1)
      #expect(try Watchdog.fromEnvironment()?.timeout == .milliseconds(1500))
      setenv("WATCHDOG_PID", "\(getpid())", 1)
      #expect(try Watchdog.fromEnvironment()?.timeout == .milliseconds(1500))
      setenv("WATCHDOG_PID", "\(getppid())", 1)
      #expect(try Watchdog.fromEnvironment() == nil)
      setenv("WATCHDOG_PID", "\(getpid())", 1)
      setenv("WATCHDOG_USEC", "soon", 1)
      let error = #expect(throws: NotificationError.self) { try Watchdog.fromEnvironment() }
      #expect(error?.code == .environment)
    }
  }
}
