internal import CProcCtl
internal import Glibc
package import SystemPackage

/// A file that is this process's for as long as it holds the lock on it
/// (flock(2)): the kernel lets go of it when the process ends, however it ends.
package struct LockedFile {
  /// Why a file could not be had.
  package enum Obstacle: Error {
    /// Somebody alive has the lock.
    case taken
    case failed(Errno)
  }

  package let path: FilePath
  package let descriptor: FileDescriptor

  /// Opens and locks the file at the path, making it if need be. Who had the lock before may have
  /// removed the file meanwhile, so it is looked at again.
  ///
  /// - Parameter appends: Whether every write goes to the end.
  package static func open(
    _ path: FilePath, creating: Bool, appends: Bool = false
  ) throws(Obstacle) -> LockedFile {
    let flags =
      O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (creating ? O_CREAT : 0) | (appends ? O_APPEND : 0)
    while true {
      let raw = cprocctl_open(path.string, flags, 0o600)
      guard raw >= 0 else { throw .failed(Errno(rawValue: errno)) }
      let file = LockedFile(path: path, descriptor: FileDescriptor(rawValue: raw))
      do throws(Obstacle) {
        if try file.isOurs() { return file }
      } catch {
        file.close()
        throw error
      }
      file.close()
    }
  }

  /// Takes the lock; false if the path names another file by now.
  private func isOurs() throws(Obstacle) -> Bool {
    do throws(Errno) {
      guard try self.isRegular else { throw .invalidArgument }
    } catch {
      throw .failed(error)
    }
    while flock(self.descriptor.rawValue, LOCK_EX | LOCK_NB) != 0 {
      let error = Errno(rawValue: errno)
      if error == .interrupted { continue }
      throw error == .wouldBlock ? .taken : .failed(error)
    }
    do throws(Errno) {
      return try self.isNamed
    } catch {
      throw .failed(error)
    }
  }

  private init(path: FilePath, descriptor: FileDescriptor) {
    self.path = path
    self.descriptor = descriptor
  }

  /// Gives it another name as well, which nobody may have yet, and drops its own (link(2)).
  package func linked(as path: FilePath) throws(Errno) -> LockedFile {
    guard link(self.path.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    // Under its own name it is a draft, which the next start removes.
    _ = unlink(self.path.string) == 0 || unlink(self.path.string) == 0
    return LockedFile(path: path, descriptor: self.descriptor)
  }

  /// Puts it in the place of another file (rename(2)).
  package func moved(over path: FilePath) throws(Errno) -> LockedFile {
    guard rename(self.path.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    return LockedFile(path: path, descriptor: self.descriptor)
  }

  /// Its content, up to the limit.
  package func content(limit: Int) throws(Errno) -> [UInt8] {
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while content.count < limit {
      let count = pread(
        self.descriptor.rawValue, &chunk, min(chunk.count, limit - content.count), off_t(content.count))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Errno(rawValue: errno) }
      if count == 0 { break }
      content += chunk[..<count]
    }
    return content
  }

  /// Writes the text by one write(2), or nothing of it.
  package func append(_ text: String) throws(Errno) {
    let raw = self.descriptor.rawValue
    var status = stat()
    guard fstat(raw, &status) == 0 else { throw Errno(rawValue: errno) }
    var text = text
    let (written, error) = text.withUTF8 { buffer in
      var written: Int
      repeat {
        written = write(raw, buffer.baseAddress, buffer.count)
      } while written < 0 && errno == EINTR
      return (written, Errno(rawValue: errno))
    }
    if written == text.utf8.count { return }
    // What does not fit is cut short rather than refused.
    ftruncate(raw, status.st_size)
    throw written < 0 ? error : .noSpace
  }

  private var isRegular: Bool {
    get throws(Errno) {
      var status = stat()
      let raw = self.descriptor.rawValue
      guard fstat(raw, &status) == 0 || fstat(raw, &status) == 0 else { throw Errno(rawValue: errno) }
      return status.st_mode & S_IFMT == S_IFREG
    }
  }

  /// Whether the path still names this file.
  package var isNamed: Bool {
    get throws(Errno) {
      var open = stat()
      var named = stat()
      let (raw, path) = (self.descriptor.rawValue, self.path.string)
      // A failure that passes must not make a file stay, or be refused.
      guard fstat(raw, &open) == 0 || fstat(raw, &open) == 0,
        lstat(path, &named) == 0 || lstat(path, &named) == 0
      else {
        if errno == ENOENT { return false }
        throw Errno(rawValue: errno)
      }
      return open.st_dev == named.st_dev && open.st_ino == named.st_ino
    }
  }

  /// Removes it, if the path still names it, and lets go of the lock.
  ///
  /// - Throws: `Errno` if the file is left: stale, and in nobody's way.
  package func remove() throws(Errno) {
    // Only while we hold the lock, so that it is nobody else's.
    defer { self.close() }
    guard try self.isNamed else { return }
    // A failure that passes must not leave it; twice is no accident.
    guard unlink(self.path.string) == 0 || unlink(self.path.string) == 0 || errno == ENOENT else {
      throw Errno(rawValue: errno)
    }
  }

  /// Lets go of the lock and leaves the file.
  package func close() {
    // Closing alone would not do it while a child of ours is between its fork and its exec.
    _ = flock(self.descriptor.rawValue, LOCK_UN)
    Glibc.close(self.descriptor.rawValue)
  }
}
