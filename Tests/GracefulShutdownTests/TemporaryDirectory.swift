import Glibc
import SystemPackage

/// A directory of a test's own, gone with all that is in it when the body returns.
func withTemporaryDirectory<Result>(_ body: (FilePath) async throws -> Result) async throws -> Result {
  let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var template = Array("\(base)/graceful-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
  let path = FilePath(platformString: template)
  defer {
    for name in names(in: path) { unlink(path.appending(name).string) }
    rmdir(path.string)
  }
  return try await body(path)
}

/// The names in a directory, without `.` and `..`.
func names(in path: FilePath) -> Set<String> {
  guard let directory = opendir(path.string) else { return [] }
  defer { closedir(directory) }
  var names: Set<String> = []
  while let entry = readdir(directory) {
    names.insert(
      withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      })
  }
  return names.subtracting([".", ".."])
}
