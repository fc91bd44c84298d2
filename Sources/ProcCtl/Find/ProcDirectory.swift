internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Lists directories under /proc and /sys/fs/cgroup.
enum ProcDirectory {
  /// Calls the body with every entry, and the directory's descriptor.
  ///
  /// - Returns: False if the directory is not there, as when a process has ended.
  @discardableResult
  static func forEachEntry(
    in path: String, _ body: (UnsafeMutablePointer<dirent>, Int32) throws(Errno) -> Void
  ) throws(Errno) -> Bool {
    guard let directory = opendir(path) else {
      let error = Errno(rawValue: errno)
      if error.meansGone || error == .notDirectory { return false }
      throw error
    }
    defer { closedir(directory) }
    while true {
      errno = 0
      guard let entry = readdir(directory) else {
        // A process that ends while it is read leaves its directory empty or gone.
        let error = Errno(rawValue: errno)
        if error.rawValue == 0 || error.meansGone { return true }
        throw error
      }
      try body(entry, dirfd(directory))
    }
  }

  /// The names that are numbers, in the kernel's order; empty if the directory is not there.
  static func numericNames(in path: String) throws(Errno) -> [Int32] {
    var numbers: [Int32] = []
    try self.forEachEntry(in: path) { (entry, _) throws(Errno) in
      let number = withUnsafeBytes(of: &entry.pointee.d_name) { name in
        Int32(decimal: name.prefix { $0 != 0 })
      }
      if let number { numbers.append(number) }
    }
    return numbers
  }

  /// The directories in it, without itself and its parent; empty if it is not there.
  static func subdirectories(of path: FilePath) throws(Errno) -> [FilePath] {
    var found: [FilePath] = []
    try self.forEachEntry(in: path.string) { (entry, _) throws(Errno) in
      guard entry.pointee.d_type == UInt8(DT_DIR) else { return }
      let name = self.name(of: entry)
      if name != ".", name != "..", let component = FilePath.Component(name) {
        found.append(path.appending(component))
      }
    }
    return found
  }

  static func name(of entry: UnsafeMutablePointer<dirent>) -> String {
    withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
