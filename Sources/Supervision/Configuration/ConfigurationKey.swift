/// The keys a configuration may have, table by table.
package enum ConfigurationKey {
  static let root = ["shutdown", "master", "workers", "cleanups", "repositories"]
  static let shutdown = ["graceful", "clients", "workers", "ports", "cleanup", "force-foreign"]
  static let master = [
    "control", "health", "log-directory", "log-format", "log-size", "log-keep", "user", "group",
  ]
  static let cleanup = ["name", "command", "timeout"]
  static let worker = [
    "command", "port", "preset", "listen", "ready", "stop", "restart", "backoff", "start-timeout", "check",
    "directory",
    "environment", "user", "group", "capabilities", "no-new-privileges", "limits", "umask", "nice",
    "oom-score", "contain", "cleanup", "runtime-directory", "temporary-directory", "remove-ipc",
  ]
  /// A worker's, but for the port, which is each repository's own.
  static let repositories = ["file"] + worker.filter { $0 != "port" }
  static let stopStep = ["request", "socket", "signal", "wait"]
  static let backoff = ["first", "max"]
  static let check = ["probe", "every", "timeout", "failures"]

  /// Something the file format has and this version cannot do yet. It is refused, not ignored.
  package struct Unavailable: Sendable, Equatable {
    /// The table's place, with `*` for any name.
    package var table: String
    package var key: String
    /// The one value that is not available, or how it begins if this ends with a colon; nil for the
    /// whole key.
    package var value: String?

    package init(_ table: String, _ key: String, value: String? = nil) {
      self.table = table
      self.key = key
      self.value = value
    }

    func covers(_ text: String) -> Bool {
      guard let value = self.value else { return true }
      return value.hasSuffix(":") ? text.hasPrefix(value) : text == value
    }
  }

  /// What this version refuses. `[repositories]` has the same keys as `workers.*`.
  package static let unavailable = [
    Unavailable("workers.*", "listen", value: "inherit"),
    Unavailable("workers.*", "check"),
    Unavailable("workers.*", "cleanup"),
    Unavailable("workers.*", "ready", value: "fd"),
    Unavailable("workers.*", "ready", value: "exec:"),
  ]
}
