internal import Glibc
package import SystemPackage

/// A directory of a test's own, gone afterwards with the files and empty directories in it.
package struct TemporaryDirectory: ~Copyable {
  package let path: FilePath

  /// - Throws: What mkdtemp(3) says.
  package init() throws(Errno) {
    // Not in TMPDIR: the path of a socket must not become too long (unix(7)).
    var template = Array("/tmp/procctl-files-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
    self.path = FilePath(platformString: template)
  }

  deinit {
    for name in self.names {
      let path = self.path.appending(name).string
      if unlink(path) != 0 { rmdir(path) }
    }
    rmdir(self.path.string)
  }

  package var names: [String] { Self.names(in: self.path) }

  /// Writes a file, in place of what was in it.
  package func write(_ text: String, to name: String) throws {
    let file = try FileDescriptor.open(
      self.path.appending(name), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(text.utf8) }
  }

  /// Reads the first 4 MiB of a file.
  package func text(_ name: String) throws -> String {
    let file = try FileDescriptor.open(self.path.appending(name), .readOnly)
    var bytes = [UInt8](repeating: 0, count: 1 << 22)
    let count = try file.closeAfter { try bytes.withUnsafeMutableBytes { try file.read(into: $0) } }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// The names in a directory, sorted, without `.` and `..`; none if it cannot be read.
  package static func names(in path: FilePath) -> [String] {
    guard let stream = opendir(path.string) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

/// Runs the body with a directory that is gone when it returns.
package func withTemporaryDirectory<Value>(_ body: (FilePath) throws -> Value) throws -> Value {
  let directory = try TemporaryDirectory()
  return try body(directory.path)
}

/// Runs the body with a directory that is gone when it returns.
package func withTemporaryDirectory<Value>(_ body: (FilePath) async throws -> Value) async throws -> Value {
  let directory = try TemporaryDirectory()
  return try await body(directory.path)
}
