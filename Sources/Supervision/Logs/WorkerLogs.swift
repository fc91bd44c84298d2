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
/// again. Where nothing is written, nothing happens. Confined to the loop's thread.
final class WorkerLogs {
  private let directory: FilePath
  private let limits: LogFile.Limits
  private let workers: [String]
  private let loop: EventLoop
  private let logger: Logger
  private var notifications: FileDescriptor?
  private var watch: Int32?
  private var hasComplained = false

  /// How much may be written beyond the limit is what workers write in this time.
  private static let pause = Duration.seconds(5)

  init(
    directory: FilePath, limits: LogFile.Limits, workers: [String], loop: EventLoop, logger: Logger
  ) {
    self.directory = directory
    self.limits = limits
    self.workers = workers
    self.loop = loop
    self.logger = logger
  }

  private func path(of worker: String) -> FilePath { self.directory.appending("\(worker).log") }

  /// A worker's file for a new start of it: a fresh one, if the last start's is at its limit.
  ///
  /// - Throws: `ProcessError` with code `.spawn`.
  func open(worker: String) throws(ProcessError) -> FileDescriptor {
    let path = self.path(of: worker)
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
    self.listen()
  }

  private func listen() {
    guard let notifications = self.notifications else { return }
    let watch = inotify_add_watch(notifications.rawValue, self.directory.string, UInt32(IN_MODIFY))
    guard watch >= 0 else {
      return self.complain("inotify \(self.directory): \(Errno(rawValue: errno))")
    }
    self.watch = watch
  }

  private func somethingWritten() {
    self.discardNotifications()
    guard let notifications = self.notifications, let watch = self.watch else { return }
    self.watch = nil
    inotify_rm_watch(notifications.rawValue, watch)
    _ = self.loop.schedule(at: self.loop.now.advanced(by: Self.pause)) { [unowned self] in
      self.boundAll()
      self.discardNotifications()
      self.listen()
    }
  }

  private func discardNotifications() {
    guard let notifications = self.notifications else { return }
    var buffer = [UInt8](repeating: 0, count: 4096)
    while read(notifications.rawValue, &buffer, buffer.count) > 0 {}
  }

  private func boundAll() {
    for worker in self.workers {
      let path = self.path(of: worker)
      var status = stat()
      guard lstat(path.string, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
        status.st_size > self.limits.size
      else { continue }
      do throws(Errno) {
        try self.bound(path)
        self.logger.debug("\(path) was begun anew at \(status.st_size) bytes")
      } catch {
        self.complain("begin \(path) anew: \(error)")
      }
    }
  }

  /// Empties the file whatever happens: the disk may be full of it.
  private func bound(_ path: FilePath) throws(Errno) {
    let source = cprocctl_open(path.string, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0)
    guard source >= 0 else { throw Errno(rawValue: errno) }
    defer { close(source) }
    defer { ftruncate(source, 0) }
    guard self.limits.keep > 0 else { return }
    try RotatedFile.makeRoom(for: path, keep: self.limits.keep)
    let copy = RotatedFile.name(of: path, age: 1).string
    unlink(copy)
    let target = cprocctl_open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
    guard target >= 0 else { throw Errno(rawValue: errno) }
    defer { close(target) }
    do throws(Errno) {
      try self.copyEnd(of: source, to: target)
    } catch {
      unlink(copy)
      throw error
    }
  }

  /// Not more than the limit, whatever was written in the meantime: it is copied while workers wait.
  private func copyEnd(of source: Int32, to target: Int32) throws(Errno) {
    var status = stat()
    guard fstat(source, &status) == 0 else { throw Errno(rawValue: errno) }
    var position = max(0, Int(status.st_size) - self.limits.size)
    let end = position + 2 * self.limits.size
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while position < end {
      let count = pread(source, &buffer, buffer.count, off_t(position))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Errno(rawValue: errno) }
      if count == 0 { return }
      var rest = buffer[..<count]
      while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(target, $0.baseAddress, $0.count) }
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw written < 0 ? Errno(rawValue: errno) : .noSpace }
        rest = rest.dropFirst(written)
      }
      position += count
    }
  }

  private func complain(_ trouble: String) {
    if !self.hasComplained { self.logger.warning("workers' logs: \(trouble)") }
    self.hasComplained = true
  }
}
