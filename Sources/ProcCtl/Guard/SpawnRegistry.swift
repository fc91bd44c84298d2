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
    fileprivate let file: LockedFile

    /// Removes the entry, if the file of that name is still ours.
    package func remove() {
      self.file.remove()
    }
  }

  /// Registers this process under the name.
  ///
  /// - Throws: `ProcessError` with code `.invalidArgument` if a living supervisor has it.
  package static func register(name: String) throws(ProcessError) -> Registration {
    let file = try self.lock(try self.file(of: name), name: name)
    let own = RecordedProcess.current(kernel: LinuxKernel())
    var line = "\(getpid()) \(own.identity.startTime) \(own.boot)\n"
    let descriptor = file.descriptor.rawValue
    let written = line.withUTF8 {
      ftruncate(descriptor, 0) == 0 ? write(descriptor, $0.baseAddress, $0.count) : -1
    }
    guard written == line.utf8.count else {
      let error = Errno(rawValue: errno)
      file.close()
      throw ProcessError(.runtimeDirectory, doing: "write \(file.path)", underlyingError: error)
    }
    return Registration(file: file)
  }

  private static func lock(_ path: FilePath, name: String) throws(ProcessError) -> LockedFile {
    do throws(LockedFile.Obstacle) {
      return try LockedFile.open(path, creating: true)
    } catch {
      switch error {
      case .taken:
        throw ProcessError(
          .invalidArgument, doing: "use the name \(name), which a running supervisor has",
          processIdentifier: try self.find(name: name)?.processIdentifier)
      case .failed(let errno):
        throw ProcessError(.runtimeDirectory, doing: "open \(path)", underlyingError: errno)
      }
    }
  }

  /// The living supervisor with that name; nil if there is none.
  package static func find(name: String) throws(ProcessError) -> ProcessIdentity? {
    guard let content = ProcFile.read(try self.file(of: name).string, limit: 4096) else { return nil }
    let words = content.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
    guard words.count == 3, let pid = Int32(decimal: words[0]), let start = UInt64(decimal: words[1])
    else { return nil }
    let recorded = RecordedProcess(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: start),
      boot: String(decoding: words[2], as: UTF8.self))
    return recorded.living(kernel: LinuxKernel())?.identity
  }

  private static func file(of name: String) throws(ProcessError) -> FilePath {
    guard let component = FilePath.Component(name) else {
      throw ProcessError(.invalidArgument, doing: "use \"\(name)\" as a name")
    }
    return try RuntimeDirectory.subdirectory("spawn").appending(component)
  }
}
