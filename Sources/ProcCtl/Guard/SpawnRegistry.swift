internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// The names under which supervised commands can be found again: a file per
/// name in the runtime directory, saying which process supervises it.
///
/// A file of a supervisor that is gone is stale and never in the way: it holds
/// pid, start time and boot, and is believed only while all three fit.
package enum SpawnRegistry {
  /// Whether it can be a name: letters, digits, `.`, `_`, `-`, at most 64, no leading `-` or `.`,
  /// and no number, which would be a pid.
  package static func isValid(name: String) -> Bool {
    guard let first = name.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "."),
      name.utf8.count <= 64, Int32(name) == nil
    else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
  }

  /// Our entry, until it is removed. The lock on its file is ours for as long as
  /// we live, so that two supervisors cannot have one name.
  package struct Registration {
    fileprivate let file: FilePath
    fileprivate let descriptor: Int32

    /// Removes the entry, if the file of that name is still ours.
    ///
    /// - Throws: `ProcessError` with code `.runtimeDirectory` if the file is left: stale, and in nobody's way.
    package func remove() throws(ProcessError) {
      defer { close(self.descriptor) }
      try SpawnRegistry.remove(self.file, openAs: self.descriptor)
    }
  }

  /// Registers this process under the name.
  ///
  /// - Throws: `ProcessError` with code `.invalidArgument` if a living supervisor has it.
  package static func register(name: String) throws(ProcessError) -> Registration {
    let file = try self.file(of: name)
    let descriptor = try self.lock(file, name: name)
    let line: String
    do throws(ProcessError) {
      let own = try LinuxKernel().status(of: ProcessIdentifier(getpid()))?.identity
      line = "\(getpid()) \(own?.startTime ?? 0) \(try self.bootIdentifier())\n"
    } catch {
      try? self.remove(file, openAs: descriptor)
      close(descriptor)
      throw error
    }
    do throws(Errno) {
      try self.write(Array(line.utf8), to: descriptor)
    } catch {
      try? self.remove(file, openAs: descriptor)
      close(descriptor)
      throw ProcessError(.runtimeDirectory, doing: "write \(file)", underlyingError: error)
    }
    return Registration(file: file, descriptor: descriptor)
  }

  private static func write(_ text: [UInt8], to descriptor: Int32) throws(Errno) {
    guard ftruncate(descriptor, 0) == 0 else { throw Errno(rawValue: errno) }
    var rest = text[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw Errno(rawValue: errno) }
      rest = rest.dropFirst(written)
    }
  }

  /// Only while we hold the lock, so that it is nobody else's.
  fileprivate static func remove(_ file: FilePath, openAs descriptor: Int32) throws(ProcessError) {
    guard try self.names(descriptor, file) else { return }
    // A failure that passes must not leave it; twice is no accident.
    guard unlink(file.string) == 0 || unlink(file.string) == 0 || errno == ENOENT else {
      throw ProcessError(.runtimeDirectory, doing: "remove \(file)", underlyingError: Errno(rawValue: errno))
    }
  }

  /// Opens and locks the file; who holds the lock before us may have removed it meanwhile.
  private static func lock(_ file: FilePath, name: String) throws(ProcessError) -> Int32 {
    while true {
      let descriptor = cprocctl_open(file.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else {
        throw ProcessError(.runtimeDirectory, doing: "open \(file)", underlyingError: Errno(rawValue: errno))
      }
      while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        let error = Errno(rawValue: errno)
        if error == .interrupted { continue }
        close(descriptor)
        guard error == .wouldBlock else {
          throw ProcessError(.runtimeDirectory, doing: "lock \(file)", underlyingError: error)
        }
        throw ProcessError(
          .invalidArgument, doing: "use the name \(name), which a running supervisor has",
          processIdentifier: try self.find(name: name)?.processIdentifier)
      }
      do throws(ProcessError) {
        if try self.names(descriptor, file) { return descriptor }
      } catch {
        close(descriptor)
        throw error
      }
      close(descriptor)
    }
  }

  /// Whether the path names the open file.
  fileprivate static func names(_ descriptor: Int32, _ file: FilePath) throws(ProcessError) -> Bool {
    var open = stat()
    var named = stat()
    // A failure that passes must not make a name stay, or be refused.
    guard fstat(descriptor, &open) == 0 || fstat(descriptor, &open) == 0,
      stat(file.string, &named) == 0 || stat(file.string, &named) == 0
    else {
      if errno == ENOENT { return false }
      throw ProcessError(.runtimeDirectory, doing: "look at \(file)", underlyingError: Errno(rawValue: errno))
    }
    return open.st_dev == named.st_dev && open.st_ino == named.st_ino
  }

  /// The living supervisor with that name; nil if there is none.
  package static func find(name: String) throws(ProcessError) -> ProcessIdentity? {
    let file = try self.file(of: name).string
    let content: [UInt8]
    do throws(Errno) {
      guard let found = try ProcFile.read(file, limit: 4096) else { return nil }
      content = found
    } catch {
      throw ProcessError(.runtimeDirectory, doing: "read \(file)", underlyingError: error)
    }
    let words = content.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
    guard words.count == 3, let pid = Int32(decimal: words[0]), let start = UInt64(decimal: words[1]),
      String(decoding: words[2], as: UTF8.self) == (try self.bootIdentifier())
    else { return nil }
    let identity = ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: start)
    guard let status = try LinuxKernel().status(of: identity.processIdentifier), status.identity == identity,
      !status.isDead
    else { return nil }
    return identity
  }

  private static func file(of name: String) throws(ProcessError) -> FilePath {
    guard let component = FilePath.Component(name) else {
      throw ProcessError(.invalidArgument, doing: "use \"\(name)\" as a name")
    }
    return try RuntimeDirectory.subdirectory("spawn").appending(component)
  }

  /// Differs after every boot, so that start times can be compared (random(4)).
  package static func bootIdentifier() throws(ProcessError) -> String {
    let path = "/proc/sys/kernel/random/boot_id"
    let text: [UInt8]
    do throws(Errno) {
      text = try ProcFile.read(path, limit: 64) ?? []
    } catch {
      throw ProcessError(.inspect, doing: "read \(path)", underlyingError: error)
    }
    return String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}
