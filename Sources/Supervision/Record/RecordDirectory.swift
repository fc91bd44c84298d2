internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// Where masters leave the account of their shutdown and the history of their workers, to be read
/// when they are gone.
package enum RecordDirectory {
  /// The first that can be used, made if need be: the configured log directory and no other, or
  /// STATE_DIRECTORY and LOGS_DIRECTORY (set by systemd, systemd.exec(5)), XDG_STATE_HOME/procctl,
  /// XDG_RUNTIME_DIR/procctl, /var/lib/procctl for root, and the runtime directory.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if there is none.
  package static func own(_ configuration: MasterConfiguration) throws(ProcessError) -> FilePath {
    if let directory = configuration.logDirectory {
      guard access(directory.string, W_OK | X_OK) == 0 else {
        throw ProcessError(
          .runtimeDirectory, doing: "write to \(directory)", underlyingError: Errno(rawValue: errno))
      }
      return directory
    }
    for directory in self.places where self.make(directory) { return directory }
    return try RuntimeDirectory.path()
  }

  /// All a master of the configuration may have used, whoever looks.
  package static func candidates(_ configuration: MasterConfiguration?) -> [FilePath] {
    var candidates = configuration?.logDirectory.map { [$0] } ?? []
    for place in self.places + ["/var/lib/procctl", "/run/procctl", RuntimeDirectory.location] {
      // Those of the instances of a systemd template are below.
      for directory in [place] + self.subdirectories(of: place) where !candidates.contains(directory) {
        candidates.append(directory)
      }
    }
    return candidates
  }

  private static var places: [FilePath] {
    var places: [FilePath] = []
    for name in ["STATE_DIRECTORY", "LOGS_DIRECTORY"] {
      if let first = self.variable(name)?.split(separator: ":").first {
        places.append(FilePath(String(first)))
      }
    }
    for name in ["XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
      if let base = self.variable(name) { places.append(FilePath(base).appending("procctl")) }
    }
    if geteuid() == 0 { places.append("/var/lib/procctl") }
    return places.filter(\.isAbsolute)
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// Whether it is there now and ours alone to write to.
  private static func make(_ directory: FilePath) -> Bool {
    guard mkdir(directory.string, 0o700) == 0 || errno == EEXIST else { return false }
    return RuntimeDirectory.isTrusted(directory) && access(directory.string, W_OK | X_OK) == 0
  }

  /// The configurations that these directories have a file with this ending of, that with the youngest
  /// first. Of a configuration as such nothing is known but what the file's name tells.
  package static func names(in directories: [FilePath], ending: String) -> [LedgerName] {
    var found: [(name: LedgerName, file: String, at: Int64)] = []
    for directory in directories {
      for file in self.entries(of: directory, type: DT_REG) {
        guard let name = LedgerName(file: file, ending: ending) else { continue }
        found.append((name, file, cprocctl_modified_nanoseconds(directory.appending(file).string)))
      }
    }
    found.sort { ($0.at, $0.file) > ($1.at, $1.file) }
    return found.reduce(into: []) { names, next in
      if !names.contains(next.name) { names.append(next.name) }
    }
  }

  private static func subdirectories(of place: FilePath) -> [FilePath] {
    self.entries(of: place, type: DT_DIR).filter { $0 != "." && $0 != ".." }.sorted().map {
      place.appending($0)
    }
  }

  private static func entries(of directory: FilePath, type: Int) -> [String] {
    guard let stream = opendir(directory.string) else { return [] }
    defer { closedir(stream) }
    var found: [String] = []
    while let entry = readdir(stream) {
      guard entry.pointee.d_type == UInt8(type) else { continue }
      found.append(
        withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        })
    }
    return found
  }
}
