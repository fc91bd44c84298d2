internal import CProcCtl
internal import Glibc

enum StandardDescriptors {
  /// Opens /dev/null in place of a standard descriptor that is closed.
  static func fillGaps() {
    for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
      _ = open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY)
    }
  }

  /// Whether it is a regular file, which a process that outlives its caller may keep.
  static func isFile(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Closes what a detached supervisor has of its caller: nobody must wait for
  /// the end of a pipe that we hold open.
  static func letGoOfCaller(closing events: Int32?) {
    if let events { close(events) }
    guard !self.isFile(2) else { return }
    let null = open("/dev/null", O_WRONLY)
    guard null >= 0 else { return }
    dup2(null, 2)
    if null != 2 { close(null) }
  }
}
