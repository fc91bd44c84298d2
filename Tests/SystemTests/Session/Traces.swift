import Glibc

/// Files of a test where the masters of the machine have theirs: known by the session's identifier, in
/// their names or in what they hold. So other tests and other masters may run at the same time.
enum Traces {
  private static let places: [String] = {
    var places = ["/run/procctl", "/var/lib/procctl", "/var/log/procctl", "/tmp/procctl-\(geteuid())"]
    if let base = getenv("XDG_RUNTIME_DIR") { places.append("\(String(cString: base))/procctl") }
    if let base = getenv("XDG_STATE_HOME") { places.append("\(String(cString: base))/procctl") }
    return places
  }()

  static func left(by identifier: String) -> [String] {
    self.places.flatMap { self.below($0) { path in self.isMarked(path, identifier) } }
  }

  /// Whether the file or socket speaks of the session.
  static func isMarked(_ path: String, _ identifier: String) -> Bool {
    if path.contains(identifier) { return true }
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    return String(decoding: ProcTable.bytes(path, limit: 1 << 16) ?? [], as: UTF8.self).contains(identifier)
  }

  static func below(_ directory: String, where isWanted: (String) -> Bool) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var found: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name != ".", name != ".." else { continue }
      let path = "\(directory)/\(name)"
      if entry.pointee.d_type == UInt8(DT_DIR) {
        found += self.below(path, where: isWanted)
      } else if isWanted(path) {
        found.append(path)
      }
    }
    return found
  }
}
