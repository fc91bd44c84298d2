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
    package func remove() {
      if SpawnRegistry.names(self.descriptor, self.file) { unlink(self.file.string) }
      close(self.descriptor)
    }
  }

  /// Registers this process under the name.
  ///
  /// - Throws: `ProcessError` with code `.invalidArgument` if a living supervisor has it.
  package static func register(name: String) throws(ProcessError) -> Registration {
    let file = try self.file(of: name)
    let descriptor = try self.lock(file, name: name)
    let own = LinuxKernel().status(of: ProcessIdentifier(getpid()))?.identity
    var line = "\(getpid()) \(own?.startTime ?? 0) \(self.bootIdentifier())\n"
    let written = line.withUTF8 {
      ftruncate(descriptor, 0) == 0 ? write(descriptor, $0.baseAddress, $0.count) : -1
    }
    guard written == line.utf8.count else {
      let error = Errno(rawValue: errno)
      close(descriptor)
      throw ProcessError(.runtimeDirectory, doing: "write \(file)", underlyingError: error)
    }
    return Registration(file: file, descriptor: descriptor)
  }

  /// Opens and locks the file; who holds the lock before us may have removed it meanwhile.
  private static func lock(_ file: FilePath, name: String) throws(ProcessError) -> Int32 {
    while true {
      let descriptor = cprocctl_open(file.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else {
        throw ProcessError(.runtimeDirectory, doing: "open \(file)", underlyingError: Errno(rawValue: errno))
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        close(descriptor)
        throw ProcessError(
          .invalidArgument, doing: "use the name \(name), which a running supervisor has",
          processIdentifier: try self.find(name: name)?.processIdentifier)
      }
      if self.names(descriptor, file) { return descriptor }
      close(descriptor)
    }
  }

  /// Whether the path names the open file.
  fileprivate static func names(_ descriptor: Int32, _ file: FilePath) -> Bool {
    var open = stat()
    var named = stat()
    guard fstat(descriptor, &open) == 0, stat(file.string, &named) == 0 else { return false }
    return open.st_dev == named.st_dev && open.st_ino == named.st_ino
  }

  /// The living supervisor with that name; nil if there is none.
  package static func find(name: String) throws(ProcessError) -> ProcessIdentity? {
    guard let content = ProcFile.read(try self.file(of: name).string, limit: 4096) else { return nil }
    let words = content.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
    guard words.count == 3, let pid = Int32(decimal: words[0]), let start = UInt64(decimal: words[1]),
      String(decoding: words[2], as: UTF8.self) == self.bootIdentifier()
    else { return nil }
    let identity = ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: start)
    guard let status = LinuxKernel().status(of: identity.processIdentifier), status.identity == identity,
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
  package static func bootIdentifier() -> String {
    let text = ProcFile.read("/proc/sys/kernel/random/boot_id", limit: 64) ?? []
    return String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}
