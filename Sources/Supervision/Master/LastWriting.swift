internal import Logging
internal import ProcCtl
internal import SystemdNotify

/// The end of what a master writes to files: waited for, but not for long. By then nobody is left to be
/// ended, and a disk that does not answer must not keep a process that has its status to tell.
///
/// Where the kernel lets nobody go who waits for that disk, not even to be killed (state D, proc(5)), the
/// process is not seen to end before it does; all that it had to do is done by then. Confined to the
/// loop's thread, which it blocks.
final class LastWriting {
  private let writer: FileWriter
  private let loop: EventLoop
  private let service: ServiceReporter
  private let logger: Logger
  /// For all of it.
  private var deadline: MonotonicInstant?

  /// Less than an exit may take in all, as in `procctl run`.
  private static let limit = Duration.seconds(3)
  /// systemd's watchdog is to hear from us meanwhile.
  private static let beat = Duration.milliseconds(250)
  /// For systemd: what comes after.
  private static let rest = Duration.seconds(5)

  init(_ writer: FileWriter, loop: EventLoop, service: ServiceReporter, logger: Logger) {
    self.writer = writer
    self.loop = loop
    self.service = service
    self.logger = logger
    writer.whenHeldUp { notice in
      switch notice {
      case .heldUp: logger.warning("a disk does not answer; what is to be written to it waits")
      case .goesOn: logger.warning("the disk answers again")
      }
    }
  }

  /// Waits for what is to be written by now; all waits together are bounded.
  ///
  /// - Returns: How much is not written.
  @discardableResult
  func wait() -> Int {
    let deadline = self.deadline ?? self.loop.now.advanced(by: Self.limit)
    self.deadline = deadline
    while true {
      let left = Duration.nanoseconds(deadline.nanoseconds - self.loop.now.nanoseconds)
      let undone = self.writer.drain(within: max(.zero, min(left, Self.beat)))
      guard undone > 0, left > .zero else { return undone }
      self.service.status("waiting for a disk that does not answer", extendingBy: Self.limit + Self.rest)
      self.service.ping()
    }
  }

  /// The same at the very end, and says what is missing.
  func finish(files: MasterLogFiles?) {
    let undone = self.wait()
    if let lost = files?.lostLines, lost > 0 {
      self.logger.warning("\(lost) lines of the log files were lost")
      self.wait()
    }
    guard undone > 0 else { return }
    let what = undone == 1 ? "entry of a file is" : "entries of files are"
    self.logger.warning("a disk does not answer: \(undone) \(what) not written")
  }
}
