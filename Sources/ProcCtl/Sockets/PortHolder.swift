internal import SystemPackage

/// Who holds a port, as far as the kernel lets us know.
package struct PortHolder: Hashable, Sendable, CustomStringConvertible {
  /// Nil if no process we may look into holds the socket.
  package var pid: ProcessIdentifier?
  /// The command line, or the process's name in brackets; control characters
  /// are escaped. Nil if not known.
  package var command: String?
  /// The user the socket belongs to; nil if not known.
  package var uid: UInt32?
  /// The name for `uid` in /etc/passwd.
  package var user: String?
  package var state: SocketState
  package var address: SocketAddress

  package init(
    pid: ProcessIdentifier? = nil, command: String? = nil, uid: UInt32? = nil, user: String? = nil,
    state: SocketState, address: SocketAddress
  ) {
    self.pid = pid
    self.command = command
    self.uid = uid
    self.user = user
    self.state = state
    self.address = address
  }

  /// `pid 812 (python3 -m http.server), user web, LISTEN on 0.0.0.0:8081`.
  package var description: String {
    var text = self.pid.map { "pid \($0)" } ?? "an unknown process"
    if let command = self.command { text += " (\(command))" }
    if let user = self.user {
      text += ", user \(user)"
    } else if let uid = self.uid {
      text += ", uid \(uid)"
    }
    return text + ", \(self.state) on \(self.address)"
  }

  /// Returns the holder with its command and user filled in from /proc and
  /// /etc/passwd, as far as they can be read: a process may have ended meanwhile.
  ///
  /// The user database is read from the file, not through NSS: that may wait for a server.
  package func described() -> PortHolder {
    var holder = self
    if let pid = self.pid {
      let described = ProcessDescription(of: pid)
      holder.command = described.command
      // What the process is now tells more than what it was when it made the socket.
      if let uid = described.uid { holder.uid = uid }
    }
    holder.user = holder.uid.flatMap(Self.userName(of:))
    return holder
  }

  private static func userName(of uid: UInt32) -> String? {
    guard let bytes = (try? ProcFile.read("/etc/passwd", limit: 1 << 20)) ?? nil else { return nil }
    return Self.userName(of: uid, inPasswd: bytes)
  }

  /// Finds the name of a user in the text of /etc/passwd (passwd(5)).
  package static func userName(of uid: UInt32, inPasswd text: [UInt8]) -> String? {
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count >= 3, !fields[0].isEmpty,
        UInt32(String(decoding: fields[2], as: UTF8.self)) == uid
      else { continue }
      return PrintableText.escaping(fields[0], limit: 64)
    }
    return nil
  }
}

/// What /proc says about a process that holds a port.
struct ProcessDescription {
  var command: String?
  /// The effective user.
  var uid: UInt32?

  init(of process: ProcessIdentifier) {
    // Both files may be gone at any moment, and status of another user's
    // process is readable while its descriptors are not.
    let arguments = (try? ProcFile.read("/proc/\(process)/cmdline", limit: 4096)) ?? nil
    self.command = arguments.flatMap { PrintableText.commandLine($0) }
    guard let status = (try? ProcFile.read("/proc/\(process)/status", limit: 8192)) ?? nil else { return }
    for line in status.split(separator: UInt8(ascii: "\n")) {
      if line.starts(with: "Name:\t".utf8), self.command == nil {
        self.command = "[\(PrintableText.escaping(line.dropFirst(6)))]"
      } else if line.starts(with: "Uid:\t".utf8) {
        // Real, effective, saved, of the file system.
        let numbers = line.dropFirst(5).split(separator: UInt8(ascii: "\t"))
        if numbers.count >= 2 { self.uid = UInt32(String(decoding: numbers[1], as: UTF8.self)) }
      }
    }
  }
}
