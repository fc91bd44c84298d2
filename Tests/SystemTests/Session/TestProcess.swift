import CProcCtl
import Glibc

/// How a process of a test ended.
enum Ending: Equatable, Sendable {
  case exited(Int32)
  case signaled(Int32)
}

/// A program a test has started: a child of this process.
///
/// Used by one task at a time.
final class TestProcess: @unchecked Sendable {
  struct Result: Sendable {
    var ending: Ending
    var output: [UInt8]
    var errors: String
    /// From the start to the end.
    var duration: Duration

    var outputText: String { String(decoding: self.output, as: UTF8.self) }
  }

  let pid: pid_t
  private let pidfd: Int32
  private var input: Int32?
  let output: Capture?
  let errors: Capture?
  private let stopwatch = Stopwatch()
  private(set) var ending: Ending?

  init(_ started: Launch.Started) throws {
    self.pid = started.pid
    self.pidfd = cprocctl_pidfd_open(started.pid, 0)
    self.input = started.input
    self.output = started.output.map { Capture($0) }
    self.errors = started.errors.map { Capture($0) }
    guard self.pidfd >= 0 else { throw WaitError("pidfd_open: \(errno)") }
  }

  deinit {
    close(self.pidfd)
    self.closeInput()
  }

  func send(_ signal: Int32) {
    _ = cprocctl_pidfd_send_signal(self.pidfd, signal, 0)
  }

  func write(_ text: String) { self.write(Array(text.utf8)) }

  /// For less than a pipe holds.
  func write(_ bytes: [UInt8]) {
    guard let input = self.input else { return }
    _ = bytes.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
  }

  func closeInput() {
    if let input = self.input { close(input) }
    self.input = nil
  }

  /// Waits for its end and reaps it. What it wrote until then is in the result,
  /// whoever may still have its pipes.
  @discardableResult
  func end(within limit: Duration = .seconds(30)) async throws -> Result {
    let deadline = Deadline(in: limit)
    while !self.hasEnded {
      var watched = [self.pidfd]
      for capture in [self.output, self.errors] {
        if let capture, !capture.isAtEnd { watched.append(capture.descriptor) }
      }
      guard try await readable(watched, by: deadline) else {
        throw WaitError(
          "pid \(self.pid) has not ended within \(limit); it wrote:\n\(self.output?.text ?? "")\n\(self.errors?.text ?? "")"
        )
      }
      self.output?.take()
      self.errors?.take()
      self.reap()
    }
    let duration = self.stopwatch.elapsed
    self.output?.take()
    self.errors?.take()
    guard let ending = self.ending else { throw WaitError("pid \(self.pid) was reaped by somebody else") }
    return Result(
      ending: ending, output: self.output?.bytes ?? [], errors: self.errors?.text ?? "", duration: duration)
  }

  private var hasEnded: Bool { self.ending != nil }

  /// Reaps it if it has ended.
  func reap() {
    guard self.ending == nil else { return }
    var information = siginfo_t()
    guard cprocctl_waitid(Int32(CPROCCTL_P_PIDFD), UInt32(self.pidfd), &information, WEXITED | WNOHANG) == 0,
      cprocctl_siginfo_pid(&information) == self.pid
    else { return }
    let status = cprocctl_siginfo_status(&information)
    self.ending =
      cprocctl_siginfo_code(&information) == Int32(CLD_EXITED) ? .exited(status) : .signaled(status)
  }
}
