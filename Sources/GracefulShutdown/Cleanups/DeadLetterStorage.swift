internal import FoundationEssentials
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The file of dead letters, as bytes on a disk. Every method may block.
struct DeadLetterStorage: Sendable {
  struct Content: Sendable {
    var letters: [DeadLetter] = []
    var damagedLines = 0
  }

  /// The right to try letters again, until it is released.
  struct Claim: Sendable {
    fileprivate let descriptor: FileDescriptor

    func release() {
      // Closing would not do while a child of this program is between its fork and its exec: it has the
      // descriptor too, and with it the lock (flock(2)).
      flock(self.descriptor.rawValue, LOCK_UN)
      try? self.descriptor.close()
    }
  }

  let path: FilePath
  let limit: Int

  func exists() throws(DeadLetterError) -> Bool {
    var status = stat()
    if self.path.withPlatformString({ lstat($0, &status) }) == 0 { return true }
    if errno == ENOENT { return false }
    throw self.failed("looked at", Errno(rawValue: errno))
  }

  func claim() throws(DeadLetterError) -> Claim {
    var lock = self.path
    lock.removeLastComponent()
    lock.append("\(self.path.lastComponent?.string ?? "").lock")
    let descriptor = try self.open(lock, creating: true)
    guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
      let error = Errno(rawValue: errno)
      try? descriptor.close()
      if error == .wouldBlock {
        throw DeadLetterError(.busy, "\(self.path): somebody else is trying its letters again")
      }
      throw self.failed("locked", error)
    }
    return Claim(descriptor: descriptor)
  }

  func read() throws(DeadLetterError) -> Content {
    guard try self.exists() else { return Content() }
    return try self.withLock { descriptor, size throws(DeadLetterError) in
      try self.content(descriptor, size)
    }
  }

  func append(_ letter: DeadLetter) throws(DeadLetterError) {
    var line = try self.line(letter)
    try self.withLock { descriptor, size throws(DeadLetterError) in
      if size > 0, try self.bytes(descriptor, from: size - 1, count: 1) != [0x0A] { line.insert(0x0A, at: 0) }
      guard size + line.count <= self.limit else {
        throw DeadLetterError(.full, "\(self.path) would have more than \(self.limit) bytes")
      }
      do {
        let written = try line.withUnsafeBytes { try descriptor.write($0) }
        guard written == line.count else { throw Errno.noSpace }
      } catch {
        // Not half a line.
        ftruncate(descriptor.rawValue, off_t(size))
        throw self.failed("written", error)
      }
      try self.sync(descriptor)
      if size == 0 { try self.syncDirectory() }
    }
  }

  /// Replaces the file with what is left of its letters; without any there is no file.
  func change(_ body: (inout [DeadLetter]) -> Void) throws(DeadLetterError) {
    guard try self.exists() else { return }
    try self.withLock { descriptor, size throws(DeadLetterError) in
      var letters = try self.content(descriptor, size).letters
      body(&letters)
      if letters.isEmpty {
        guard self.path.withPlatformString({ unlink($0) }) == 0 else {
          throw self.failed("removed", Errno(rawValue: errno))
        }
      } else {
        try self.replace(letters)
      }
      try self.syncDirectory()
    }
  }

  // MARK: Steps

  private func replace(_ letters: [DeadLetter]) throws(DeadLetterError) {
    var bytes: [UInt8] = []
    for letter in letters { bytes += try self.line(letter) }
    var new = self.path
    new.removeLastComponent()
    new.append("\(self.path.lastComponent?.string ?? "").new")
    // Left by a crash; only the holder of the lock writes it.
    _ = new.withPlatformString { unlink($0) }
    let descriptor = try self.open(new, creating: true)
    defer { try? descriptor.close() }
    do {
      try descriptor.writeAll(bytes)
    } catch {
      throw self.failed("written", error)
    }
    try self.sync(descriptor)
    let renamed = new.withPlatformString { from in self.path.withPlatformString { rename(from, $0) } }
    guard renamed == 0 else { throw self.failed("replaced", Errno(rawValue: errno)) }
  }

  /// Runs the body with the locked file that the path names, and its size.
  private func withLock<Value>(
    _ body: (FileDescriptor, Int) throws(DeadLetterError) -> Value
  ) throws(DeadLetterError) -> Value {
    while true {
      let descriptor = try self.open(self.path, creating: true)
      defer { try? descriptor.close() }
      while flock(descriptor.rawValue, LOCK_EX) != 0 {
        guard errno == EINTR else { throw self.failed("locked", Errno(rawValue: errno)) }
      }
      var locked = stat()
      var named = stat()
      guard fstat(descriptor.rawValue, &locked) == 0 else {
        throw self.failed("looked at", Errno(rawValue: errno))
      }
      // Replaced or removed while we waited: what we have locked is not the file any more.
      guard self.path.withPlatformString({ lstat($0, &named) }) == 0, locked.st_ino == named.st_ino,
        locked.st_dev == named.st_dev
      else { continue }
      guard locked.st_mode & S_IFMT == S_IFREG else {
        throw DeadLetterError(.notThisFile, "\(self.path) is no regular file")
      }
      if locked.st_mode & 0o177 != 0 { fchmod(descriptor.rawValue, 0o600) }
      return try body(descriptor, Int(locked.st_size))
    }
  }

  private func open(_ path: FilePath, creating: Bool) throws(DeadLetterError) -> FileDescriptor {
    do {
      // Not blocking, in case somebody has put a FIFO there.
      return try FileDescriptor.open(
        path, .readWrite, options: [.append, .create, .closeOnExec, .noFollow, .nonBlocking],
        permissions: .ownerReadWrite)
    } catch {
      throw DeadLetterError(.inaccessible, "\(path) cannot be opened: \(error)")
    }
  }

  private func content(_ descriptor: FileDescriptor, _ size: Int) throws(DeadLetterError) -> Content {
    // A letter that failed again may have grown a little.
    guard size <= self.limit * 2 else {
      throw DeadLetterError(.notThisFile, "\(self.path) has \(size) bytes, the limit is \(self.limit)")
    }
    var content = Content()
    let decoder = JSONDecoder()
    for line in try self.bytes(descriptor, from: 0, count: size).split(separator: 0x0A) {
      if let letter = try? decoder.decode(DeadLetter.self, from: Data(line)) {
        content.letters.append(letter)
      } else {
        content.damagedLines += 1
      }
    }
    return content
  }

  private func bytes(
    _ descriptor: FileDescriptor, from start: Int, count: Int
  ) throws(DeadLetterError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var read = 0
    do {
      while read < count {
        let more = try bytes.withUnsafeMutableBytes {
          try descriptor.read(
            fromAbsoluteOffset: Int64(start + read),
            into: UnsafeMutableRawBufferPointer(rebasing: $0[read...]))
        }
        if more == 0 { break }
        read += more
      }
    } catch {
      throw self.failed("read", error)
    }
    return Array(bytes.prefix(read))
  }

  private func line(_ letter: DeadLetter) throws(DeadLetterError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(letter)) + [0x0A]
    } catch {
      throw DeadLetterError(.inaccessible, "\(self.path): \(letter.cleanup) is not to be written as JSON")
    }
  }

  private func sync(_ descriptor: FileDescriptor) throws(DeadLetterError) {
    guard fsync(descriptor.rawValue) == 0 else { throw self.failed("synced", Errno(rawValue: errno)) }
  }

  /// A name is on the disk once its directory is (fsync(2)).
  private func syncDirectory() throws(DeadLetterError) {
    var directory = self.path
    directory.removeLastComponent()
    if directory.isEmpty { directory = "." }
    do {
      let descriptor = try FileDescriptor.open(directory, .readOnly, options: [.closeOnExec, .directory])
      defer { try? descriptor.close() }
      try self.sync(descriptor)
    } catch let error as DeadLetterError {
      throw error
    } catch {
      throw self.failed("synced", error)
    }
  }

  private func failed(_ what: String, _ error: any Error) -> DeadLetterError {
    DeadLetterError(.inaccessible, "\(self.path) cannot be \(what): \(error)")
  }
}
