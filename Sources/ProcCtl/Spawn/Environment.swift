internal import CProcCtl

/// The environment a child starts with.
///
/// Variables are bytes. What systemd meant for *this* process (`NOTIFY_SOCKET`,
/// `WATCHDOG_*`, `LISTEN_*`) is never inherited: a child that found it would
/// answer in our name. Set it explicitly to pass it on.
public struct Environment: Sendable {
  private enum Base: Sendable {
    case inherited
    case empty
  }

  private var base: Base
  private var changes: [(name: ByteString, value: ByteString?)] = []

  private init(base: Base) {
    self.base = base
  }

  /// The environment of this process, without what systemd set for it alone.
  public static var inherit: Environment { Environment(base: .inherited) }

  /// No variables but those added.
  public static var empty: Environment { Environment(base: .empty) }

  /// Exactly these `NAME=VALUE` strings.
  package init(entries: [ByteString]) {
    self.base = .empty
    self.changes = entries.map { entry in
      let name = Environment.name(of: entry)
      return (name, ByteString(bytes: entry.bytes.dropFirst(name.bytes.count + 1)))
    }
  }

  /// Returns the environment with the variable set to the value.
  public func setting(_ name: ByteString, to value: ByteString) -> Environment {
    var copy = self
    copy.changes.append((name, value))
    return copy
  }

  /// Returns the environment without the variable.
  public func removing(_ name: ByteString) -> Environment {
    var copy = self
    copy.changes.append((name, nil))
    return copy
  }

  private static let meantForThisProcess: Set<ByteString> = [
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
  ]

  /// The `NAME=VALUE` strings, in the order they are handed to execve.
  package func entries() -> [ByteString] {
    var entries: [ByteString] = []
    if case .inherited = self.base, var pointer = cprocctl_environment() {
      while let entry = pointer.pointee {
        let string = ByteString(cString: entry)
        if !Environment.meantForThisProcess.contains(Environment.name(of: string)) {
          entries.append(string)
        }
        pointer += 1
      }
    }
    for change in self.changes {
      entries.removeAll { Environment.name(of: $0) == change.name }
      if let value = change.value {
        entries.append(ByteString(bytes: change.name.bytes + [UInt8(ascii: "=")] + value.bytes))
      }
    }
    return entries
  }

  /// The value of a variable as the child will see it.
  package func value(of name: ByteString) -> ByteString? {
    for entry in self.entries() where Environment.name(of: entry) == name {
      return ByteString(bytes: entry.bytes.dropFirst(name.bytes.count + 1))
    }
    return nil
  }

  private static func name(of entry: ByteString) -> ByteString {
    ByteString(bytes: entry.bytes.prefix { $0 != UInt8(ascii: "=") })
  }
}
