internal import CProcCtl
internal import Glibc
internal import Logging
internal import ProcCtl
internal import SystemPackage
internal import SystemdNotify

/// The files in the log directory that workers write their output to, kept within their limit.
///
/// A worker has its file open for itself, so what is too large is copied to NAME.log.1 and emptied;
/// what is written between the two is lost. The kernel says that something was written (inotify(7)),
/// once: after that nobody is told for a while, then sizes are looked at and the kernel is asked
/// again. Where nothing is written, nothing happens.
///
/// All but the opening for a start is done by a ``FileWriter``. A worker is not started while that is held
/// up, because its log would be opened on the same disk. Confined to the loop's thread.
final class WorkerLogs {
  private let directory: FilePath
  private let limits: LogFile.Limits
  private let workers: [String]
  private let writer: FileWriter
  private let loop: EventLoop
  private let logger: Logger
  private var notifications: FileDescriptor?
  private var watch: Int32?
  /// The kernel had something to say before we knew that it had been asked.
  private var wasNotified = false
  private var hasComplained = false

  /// How much may be written beyond the limit is what workers write in this time.
  private static let pause = Duration.seconds(5)

  init(
    directory: FilePath, limits: LogFile.Limits, workers: [String], writer: FileWriter, loop: EventLoop,
    logger: Logger
  ) {
    self.directory = directory
    self.limits = limits
    self.workers = workers
    self.writer = writer
    self.loop = loop
    self.logger = logger
  }

  private func path(of worker: String) -> FilePath { self.directory.appending("\(worker).log") }

  /// A worker's file for a new start of it: a fresh one, if the last start's is at its limit.
  ///
  /// - Throws: `ProcessError` with code `.spawn`.
  func open(worker: String) throws(ProcessError) -> FileDescriptor {
    let path = self.path(of: worker)
    guard !self.writer.isHeldUp else {
      throw ProcessError(.spawn, doing: "open the log \(path): its disk does not answer")
    }
    var status = stat()
    if self.limits.size > 0, lstat(path.string, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size >= self.limits.size
    {
      // Nobody of that start is left to write to it.
      do throws(Errno) { try RotatedFile.setAside(path, keep: self.limits.keep) } catch {
        self.complain("set aside \(path): \(error)")
      }
    }
    // Where others can write to the directory, a link could lead anywhere, and a fifo keep us waiting.
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
    let descriptor = cprocctl_open(path.string, flags, 0o640)
    guard descriptor >= 0 else {
      throw ProcessError(.spawn, doing: "open the log \(path)", underlyingError: Errno(rawValue: errno))
    }
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw ProcessError(.spawn, doing: "open the log \(path), which is no file")
    }
    return FileDescriptor(rawValue: descriptor)
  }

  /// Keeps the files within their limit from now on.
  func begin() {
    guard self.limits.size > 0, !self.workers.isEmpty else { return }
    let descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { return self.complain("inotify: \(Errno(rawValue: errno))") }
    let notifications = FileDescriptor(rawValue: descriptor)
    self.notifications = notifications
    do throws(ProcessError) {
      try self.loop.watch(notifications, for: .readable) { [unowned self] _ in self.somethingWritten() }
    } catch {
      return self.complain("\(error)")
    }
    self.listen(Self.watch(self.directory, by: notifications))
  }

  /// May wait for the disk.
  private static func watch(
    _ directory: FilePath, by notifications: FileDescriptor
  ) -> Result<Int32, Errno> {
    let watch = inotify_add_watch(notifications.rawValue, directory.string, UInt32(IN_MODIFY))
    return watch >= 0 ? .success(watch) : .failure(Errno(rawValue: errno))
  }

  private func listen(_ result: Result<Int32, Errno>) {
    switch result {
    case .success(let watch): self.watch = watch
    case .failure(let error): self.complain("inotify \(self.directory): \(error)")
    }
  }

  private func somethingWritten() {
    self.discardNotifications()
    self.wasNotified = true
    guard let notifications = self.notifications, let watch = self.watch else { return }
    self.watch = nil
    inotify_rm_watch(notifications.rawValue, watch)
    self.boundLater()
  }

  private func boundLater() {
    _ = self.loop.schedule(at: self.loop.now.advanced(by: Self.pause)) { [unowned self] in self.boundAll() }
  }

  private func boundAll() {
    guard let notifications = self.notifications else { return }
    self.discardNotifications()
    self.wasNotified = false
    let bounds = WorkerLogBounds(files: self.workers.map(self.path(of:)), limits: self.limits)
    let (handle, loop, directory) = (WorkerLogsHandle(self), self.loop, self.directory)
    let isTaken = self.writer.submit(bytes: 1024) {
      let account = bounds.keep()
      let watch = Self.watch(directory, by: notifications)
      loop.perform { handle.logs?.bounded(account, watch) }
    }
    if !isTaken { self.boundLater() }
  }

  fileprivate func bounded(_ account: WorkerLogBounds.Account, _ watch: Result<Int32, Errno>) {
    for (path, size) in account.begunAnew { self.logger.debug("\(path) was begun anew at \(size) bytes") }
    for trouble in account.troubles { self.complain(trouble) }
    self.listen(watch)
    if self.wasNotified { self.somethingWritten() }
  }

  private func discardNotifications() {
    guard let notifications = self.notifications else { return }
    var buffer = [UInt8](repeating: 0, count: 4096)
    while read(notifications.rawValue, &buffer, buffer.count) > 0 {}
  }

  private func complain(_ trouble: String) {
    if !self.hasComplained { self.logger.warning("workers' logs: \(trouble)") }
    self.hasComplained = true
  }
}

/// Carries the logs past the writer's thread, which does nothing with them but hand them back to the loop's.
private final class WorkerLogsHandle: @unchecked Sendable {
  weak var logs: WorkerLogs?

  init(_ logs: WorkerLogs) { self.logs = logs }
}
