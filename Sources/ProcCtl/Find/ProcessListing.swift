internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// The numbers of all processes, each named by the kernel just before it is asked for.
///
/// The kernel goes through them in ascending order and begins again at each call where
/// the last one ended (proc_pid_readdir in fs/proc/base.c). Read at one stroke, hundreds
/// of numbers are milliseconds old when the last is looked at, and a storm that forks and
/// exits all the time has moved on from each of them. Read in pieces of one or two, nobody
/// is missed who forks ahead of where we are, and that is everybody until the numbers wrap.
struct ProcessListing: ~Copyable {
  private let directory: OpaquePointer
  private var buffer = [UInt8](repeating: 0, count: 64)
  private var filled = 0
  private var position = 0

  /// - Throws: `ProcessError` with code `.inspect` if /proc cannot be opened.
  init() throws(ProcessError) {
    guard let directory = opendir("/proc") else { throw ProcessListing.failure() }
    self.directory = directory
  }

  deinit { closedir(self.directory) }

  /// The next number; nil after the last.
  ///
  /// - Throws: `ProcessError` with code `.inspect`.
  mutating func next() throws(ProcessError) -> Int32? {
    while true {
      if self.position >= self.filled {
        guard try self.fill() else { return nil }
      }
      let entry = self.buffer[self.position..<self.filled]
      // struct linux_dirent64, getdents(2): inode and offset of 8 bytes each, length, type, name.
      let length = Int(entry[entry.startIndex + 16]) | Int(entry[entry.startIndex + 17]) << 8
      self.position += length
      if let number = Int32(decimal: entry.dropFirst(19).prefix { $0 != 0 }) { return number }
    }
  }

  private mutating func fill() throws(ProcessError) -> Bool {
    while true {
      let count = self.buffer.withUnsafeMutableBytes {
        cprocctl_read_directory(dirfd(self.directory), $0.baseAddress, $0.count)
      }
      if count >= 0 {
        self.filled = count
        self.position = 0
        return count > 0
      }
      // A name that is longer than the buffer; NAME_MAX is 255.
      guard errno == EINVAL, self.buffer.count < 512 else { throw ProcessListing.failure() }
      self.buffer = [UInt8](repeating: 0, count: self.buffer.count * 2)
    }
  }

  private static func failure() -> ProcessError {
    ProcessError(.inspect, doing: "list /proc", underlyingError: Errno(rawValue: errno))
  }
}
