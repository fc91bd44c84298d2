import Glibc
import SystemPackage
import Testing

/// A directory of a test's own, gone afterwards.
struct TemporaryDirectory: ~Copyable {
  let path: FilePath

  init() throws {
    var template = Array("/tmp/procctl-record-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    self.path = FilePath(platformString: template)
  }

  deinit {
    for name in self.names { unlink(self.path.appending(name).string) }
    rmdir(self.path.string)
  }

  var names: [String] {
    guard let stream = opendir(self.path.string) else { return [] }
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

  func write(_ text: String, to name: String) throws {
    let file = try FileDescriptor.open(
      self.path.appending(name), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    defer { try? file.close() }
    _ = try file.writeAll(text.utf8)
  }

  func text(_ name: String) throws -> String {
    let file = try FileDescriptor.open(self.path.appending(name), .readOnly)
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 22)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
