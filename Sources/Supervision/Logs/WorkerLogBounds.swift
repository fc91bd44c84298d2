internal import CProcCtl
internal import Glibc
internal import SystemPackage
internal import SystemdNotify

/// Brings the files that workers write to back within their limit: what is too large is copied and
/// emptied. Waits for the disk.
struct WorkerLogBounds: Sendable {
  /// What came of it.
  struct Account: Sendable {
    /// With the size each had.
    var begunAnew: [(path: FilePath, size: Int)] = []
    var troubles: [String] = []
  }

  let files: [FilePath]
  let limits: LogFile.Limits

  func keep() -> Account {
    var account = Account()
    for path in self.files {
      var status = stat()
      guard lstat(path.string, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
        status.st_size > self.limits.size
      else { continue }
      do throws(Errno) {
        try self.bound(path)
        account.begunAnew.append((path, Int(status.st_size)))
      } catch {
        account.troubles.append("begin \(path) anew: \(error)")
      }
    }
    return account
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
}
