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
    ///
    /// - Throws: `ProcessError` with code `.runtimeDirectory` if the file is left: stale, and in nobody's way.
    package func remove() throws(ProcessError) {
      do throws(Errno) {
        try self.file.remove()
      } catch {
        throw ProcessError(.runtimeDirectory, doing: "remove \(self.file.path)", underlyingError: error)
      }
    }
  }

  /// Registers this process under the name.
  ///
  /// - Throws: `ProcessError` with code `.invalidArgument` if a living supervisor has it.
  package static func register(name: String) throws(ProcessError) -> Registration {
    let file = try self.lock(try self.file(of: name), name: name)
    do throws(ProcessError) {
      let own = try RecordedProcess.current(kernel: LinuxKernel())
      let line = "\(getpid()) \(own.identity.startTime) \(own.boot)\n"
      do throws(Errno) {
        try self.write(Array(line.utf8), to: file.descriptor.rawValue)
      } catch {
        throw ProcessError(.runtimeDirectory, doing: "write \(file.path)", underlyingError: error)
      }
    } catch {
      try? file.remove()
      throw error
    }
    return Registration(file: file)
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
    let file = try self.file(of: name).string
    let content: [UInt8]
    do throws(Errno) {
      guard let found = try ProcFile.read(file, limit: 4096) else { return nil }
      content = found
    } catch {
      throw ProcessError(.runtimeDirectory, doing: "read \(file)", underlyingError: error)
    }
    let words = content.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
    guard words.count == 3, let pid = Int32(decimal: words[0]), let start = UInt64(decimal: words[1])
    else { return nil }
    let recorded = RecordedProcess(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: start),
      boot: String(decoding: words[2], as: UTF8.self))
    return try recorded.living(kernel: LinuxKernel())?.identity
  }

  private static func file(of name: String) throws(ProcessError) -> FilePath {
    guard let component = FilePath.Component(name) else {
      throw ProcessError(.invalidArgument, doing: "use \"\(name)\" as a name")
    }
    return try RuntimeDirectory.subdirectory("spawn").appending(component)
  }
}
