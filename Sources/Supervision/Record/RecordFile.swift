internal import CProcCtl
internal import FoundationEssentials
internal import Glibc
package import ProcCtl
package import SystemPackage
internal import SystemdNotify

/// The records of the last shutdowns, on disk.
package enum RecordFile {
  /// How many older records are kept beside the last.
  package static let kept = 3
  /// More than that of ten thousand workers.
  private static let largestSize = 128 << 20

  package static let ending = ".shutdown.json"

  package static func name(_ name: LedgerName) -> String { name.file(ending: self.ending) }

  /// Writes the record under a draft's name and renames it then, so that nobody ever reads half of one.
  /// Nothing is synced: a disk that does not answer must not hold the end up.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory`; the older ones are left as they are.
  package static func write(
    _ record: ShutdownRecord, in directory: FilePath, name: LedgerName
  ) throws(ProcessError) {
    let path = directory.appending(self.name(name))
    let draft = FilePath("\(path.string).\(getpid()).draft")
    do throws(Errno) {
      try self.write(self.encoded(record) + [UInt8(ascii: "\n")], to: draft)
      try RotatedFile.setAside(path, keep: self.kept)
      guard rename(draft.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      unlink(draft.string)
      throw ProcessError(.runtimeDirectory, doing: "write \(path)", underlyingError: error)
    }
  }

  /// The newest record of the configuration in these directories, or one that is older by so many; nil if
  /// there is none.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if there is none but one that cannot be read.
  package static func newest(
    in directories: [FilePath], name: LedgerName, back: Int = 0
  ) throws(ProcessError) -> ShutdownRecord? {
    var found: [ShutdownRecord] = []
    var obstacle: ProcessError?
    for directory in directories {
      for age in 0...self.kept {
        let path = RotatedFile.name(of: directory.appending(self.name(name)), age: age)
        do throws(ProcessError) {
          if let record = try self.read(path) { found.append(record) }
        } catch {
          obstacle = obstacle ?? error
        }
      }
    }
    found.sort { $0.began > $1.began }
    if back < found.count { return found[back] }
    if let obstacle { throw obstacle }
    return nil
  }

  package static func read(_ path: FilePath) throws(ProcessError) -> ShutdownRecord? {
    guard let bytes = try OwnFile.content(of: path, limit: self.largestSize) else { return nil }
    do {
      let record = try self.decoder.decode(ShutdownRecord.self, from: Data(bytes))
      guard record.version == ShutdownRecord.currentVersion else {
        throw ProcessError(
          .runtimeDirectory, doing: "read \(path), which is of another version of procctl (\(record.version))"
        )
      }
      return record
    } catch let error as ProcessError {
      throw error
    } catch {
      throw ProcessError(.runtimeDirectory, doing: "read \(path), which is no record")
    }
  }

  /// As JSON, with its keys sorted.
  package static func encoded(_ record: ShutdownRecord) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Of numbers that are finite and text, nothing can be refused.
    return (try? encoder.encode(record)).map { Array($0) } ?? []
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
  }

  private static func write(_ bytes: [UInt8], to path: FilePath) throws(Errno) {
    unlink(path.string)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
    let descriptor = cprocctl_open(path.string, flags, 0o640)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    defer { close(descriptor) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw count < 0 ? Errno(rawValue: errno) : .noSpace }
      rest = rest.dropFirst(count)
    }
  }
}

/// Files that masters have left, read without trusting their names.
enum OwnFile {
  /// The content; nil if there is no such file.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if it cannot be read, or is no file.
  static func content(of path: FilePath, limit: Int) throws(ProcessError) -> [UInt8]? {
    var status = stat()
    guard lstat(path.string, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR || errno == EACCES { return nil }
      throw ProcessError(.runtimeDirectory, doing: "read \(path)", underlyingError: Errno(rawValue: errno))
    }
    // A fifo would keep us waiting, and a link could lead anywhere.
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ProcessError(.runtimeDirectory, doing: "read \(path), which is no file")
    }
    do throws(Errno) {
      return try ProcFile.read(path.string, limit: limit)
    } catch {
      throw ProcessError(.runtimeDirectory, doing: "read \(path)", underlyingError: error)
    }
  }
}
