internal import CProcCtl
internal import Glibc
public import SystemPackage

/// The directory that holds what lives as long as the machine runs: sockets and names.
public enum RuntimeDirectory {
  /// Finds it, making it if need be: the first of RUNTIME_DIRECTORY (set by
  /// systemd, systemd.exec(5)), XDG_RUNTIME_DIR/procctl, /run/procctl for root,
  /// and /tmp/procctl-UID. In /tmp it must be ours and closed to others, because
  /// anybody could have made it.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory`.
  public static func path() throws(ProcessError) -> FilePath {
    try self.make(self.location)
  }

  /// The same, where it exists and can be trusted; nil otherwise. Makes nothing.
  package static func existing() -> FilePath? {
    (try? self.check(self.location)) != nil ? self.location : nil
  }

  /// Whether it is a directory that only we can write to.
  package static func isTrusted(_ path: FilePath) -> Bool { (try? self.check(path)) != nil }

  /// Where it is, or will be once it is needed.
  package static var location: FilePath {
    if let listed = self.variable("RUNTIME_DIRECTORY"), let first = listed.split(separator: ":").first {
      return FilePath(String(first))
    }
    if let base = self.variable("XDG_RUNTIME_DIR") { return FilePath(base).appending("procctl") }
    return FilePath(geteuid() == 0 ? "/run/procctl" : "/tmp/procctl-\(geteuid())")
  }

  /// Makes a directory inside it that only we may enter.
  package static func subdirectory(_ name: FilePath.Component) throws(ProcessError) -> FilePath {
    try self.make(try self.path().appending(name))
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  private static func make(_ path: FilePath) throws(ProcessError) -> FilePath {
    if mkdir(path.string, 0o700) != 0, errno != EEXIST {
      throw ProcessError(.runtimeDirectory, doing: "make \(path)", underlyingError: Errno(rawValue: errno))
    }
    try self.check(path)
    return path
  }

  private static func check(_ path: FilePath) throws(ProcessError) {
    var status = stat()
    guard lstat(path.string, &status) == 0 else {
      throw ProcessError(.runtimeDirectory, doing: "look at \(path)", underlyingError: Errno(rawValue: errno))
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw ProcessError(.runtimeDirectory, doing: "use \(path)", underlyingError: .notDirectory)
    }
    guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
      throw ProcessError(
        .runtimeDirectory, doing: "trust \(path), which others can write to or own",
        underlyingError: .permissionDenied)
    }
  }
}
