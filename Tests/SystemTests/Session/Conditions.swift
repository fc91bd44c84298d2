import CProcCtl
import Glibc

extension TestSession {
  /// Waits for what no descriptor tells: a condition in /proc of processes that
  /// are not ours. Looks at once, and after each tick of a timer descriptor.
  func until(_ what: String, within limit: Duration = .seconds(10), _ condition: () throws -> Bool)
    async throws
  {
    let deadline = Deadline(in: limit)
    let timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK))
    guard timer >= 0 else { throw WaitError("timerfd: \(errno)") }
    defer { close(timer) }
    while try !condition() {
      guard !deadline.hasPassed else { throw WaitError("in vain waited until \(what)") }
      _ = cprocctl_timerfd_arm(timer, cprocctl_monotonic_nanoseconds() + 5_000_000)
      _ = try await readable([timer], by: deadline)
    }
  }

  func untilState(of pid: pid_t, is state: Character) async throws {
    try await self.until("pid \(pid) is in state \(state)") { ProcTable.process(pid)?.state == state }
  }

  /// Waits until the process has ended, whoever reaps it.
  func untilEnd(of pid: pid_t, within limit: Duration = .seconds(10)) async throws {
    let pidfd = cprocctl_pidfd_open(pid, 0)
    guard pidfd >= 0 else { return }
    defer { close(pidfd) }
    guard try await readable([pidfd], by: Deadline(in: limit)) else {
      throw WaitError("pid \(pid) has not ended")
    }
  }
}
