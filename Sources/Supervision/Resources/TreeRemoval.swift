internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// Removes a directory whose content somebody else has made and may still be changing.
///
/// Every name is used relative to an open directory, no link is followed (openat2(2), unlinkat(2)) and
/// no mount is entered, so nothing outside can be reached. Nothing recurses: what lies deeper is first
/// moved up, so depth costs neither descriptors nor stack. Done in slices, so that the loop can go on.
package final class TreeRemoval {
  package let path: FilePath
  private let parent: Int32
  private let name: String
  private var root: Int32 = -1
  private var moved = 0
  private var entriesLeft: Int
  /// Why it is not gone, once that is final.
  package private(set) var failure: String?
  package private(set) var isDone = false

  /// - Parameters:
  ///   - parent: An open directory that is ours; it is not closed.
  ///   - limit: How many entries are removed at most.
  package init(
    _ path: FilePath, in parent: FileDescriptor, name: String, limit: Int = 1_000_000
  ) {
    self.path = path
    self.parent = parent.rawValue
    self.name = name
    self.entriesLeft = limit
  }

  deinit { if self.root >= 0 { close(self.root) } }

  /// Goes on until it is done or the time has come.
  package func proceed(until deadline: MonotonicInstant) {
    while !self.isDone, self.pass(until: deadline) {
      if MonotonicInstant.now >= deadline { return }
    }
  }

  /// Removes what can be removed at once, and moves up what lies deeper. False once that is all.
  private func pass(until deadline: MonotonicInstant) -> Bool {
    if self.root < 0 {
      if unlinkat(self.parent, self.name, AT_REMOVEDIR) == 0 || errno == ENOENT { return self.finish(nil) }
      self.root = self.open(self.name, in: self.parent)
      if self.root < 0 { return self.finish("open \(self.path): \(Errno(rawValue: errno))") }
    }
    do throws(Errno) {
      let names = try Self.names(in: self.root, limit: 256)
      if names.isEmpty {
        let isGone = unlinkat(self.parent, self.name, AT_REMOVEDIR) == 0 || errno == ENOENT
        return self.finish(isGone ? nil : "remove \(self.path): \(Errno(rawValue: errno))")
      }
      for name in names {
        try self.remove(name, in: self.root, isRoot: true)
        // Each may have hundreds in it.
        if MonotonicInstant.now >= deadline { break }
      }
      return true
    } catch {
      return self.finish("remove what is in \(self.path): \(error)")
    }
  }

  private func finish(_ failure: String?) -> Bool {
    self.failure = failure
    self.isDone = true
    return false
  }

  /// Without rights of ours over it, as after chmod(2) to 0, it is made ours first where it can be.
  private func open(_ name: UnsafePointer<CChar>, in directory: Int32) -> Int32 {
    var descriptor = cprocctl_open_directory_beneath(directory, name)
    if descriptor < 0, errno == EACCES, fchmodat(directory, name, 0o700, AT_SYMLINK_NOFOLLOW) == 0 {
      descriptor = cprocctl_open_directory_beneath(directory, name)
    }
    return descriptor
  }

  /// The names in an open directory, as text.
  static func names(of directory: Int32) throws(Errno) -> [String] {
    try self.names(in: directory, limit: .max).map { name in
      String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  private static func names(in directory: Int32, limit: Int) throws(Errno) -> [[CChar]] {
    // fdopendir(3) takes the descriptor, so it gets one of its own, at the beginning.
    let own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard own >= 0 else { throw Errno(rawValue: errno) }
    guard let stream = fdopendir(own) else {
      let error = Errno(rawValue: errno)
      close(own)
      throw error
    }
    defer { closedir(stream) }
    var names: [[CChar]] = []
    while names.count < limit, let entry = readdir(stream) {
      // Bytes, not text: a name need not be UTF-8.
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
      }
      if name == [46, 0] || name == [46, 46, 0] { continue }
      names.append(name)
    }
    return names
  }

  private func remove(_ name: [CChar], in directory: Int32, isRoot: Bool) throws(Errno) {
    self.entriesLeft -= 1
    guard self.entriesLeft > 0 else { throw Errno(rawValue: E2BIG) }
    if unlinkat(directory, name, 0) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw Errno(rawValue: errno) }
    if unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
    guard errno == ENOTEMPTY || errno == EEXIST || errno == EACCES else { throw Errno(rawValue: errno) }
    guard isRoot else {
      self.moved += 1
      // Moving a directory changes its entry "..", for which it must be writable (rename(2)).
      if renameat(directory, name, self.root, ".procctl-\(self.moved)") == 0 || errno == ENOENT { return }
      guard errno == EACCES, fchmodat(directory, name, 0o700, AT_SYMLINK_NOFOLLOW) == 0,
        renameat(directory, name, self.root, ".procctl-\(self.moved)") == 0
      else { throw Errno(rawValue: errno) }
      return
    }
    let inner = self.open(name, in: directory)
    guard inner >= 0 else {
      if errno == ENOENT { return }
      throw Errno(rawValue: errno)
    }
    defer { close(inner) }
    for name in try Self.names(in: inner, limit: 256) { try self.remove(name, in: inner, isRoot: false) }
  }
}
