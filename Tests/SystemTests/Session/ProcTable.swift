import Glibc

/// A process as /proc shows it to anybody. Deliberately not read by the code
/// under test.
struct ObservedProcess: Hashable, Sendable, CustomStringConvertible {
  var pid: pid_t
  var name: String
  var state: Character
  var parent: pid_t
  var group: pid_t
  var session: pid_t
  var threads: Int
  /// Field 22 of /proc/PID/stat: with the pid it names one process for ever.
  var startTime: UInt64

  /// The same process, whatever state it was seen in.
  static func == (left: Self, right: Self) -> Bool {
    left.pid == right.pid && left.startTime == right.startTime
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(self.pid)
    hasher.combine(self.startTime)
  }

  /// Nothing of it runs any more. One whose main thread alone has ended is shown as Z too.
  var isZombie: Bool { (self.state == "Z" || self.state == "X") && self.threads <= 1 }

  var description: String {
    "pid \(self.pid) (\(self.name), \(self.state), parent \(self.parent), session \(self.session))"
  }
}

/// Reads /proc.
enum ProcTable {
  static func bytes(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while content.count < limit {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { return nil }
      if count == 0 { break }
      content += buffer[..<count]
    }
    return content
  }

  /// The names in a directory, without the two that all have; empty if it cannot be read.
  static func names(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var found: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { found.append(name) }
    }
    return found
  }

  static func text(_ path: String) -> String? {
    self.bytes(path).map { String(decoding: $0, as: UTF8.self) }
  }

  static func process(_ pid: pid_t) -> ObservedProcess? {
    guard let line = self.text("/proc/\(pid)/stat"), let open = line.firstIndex(of: "("),
      let close = line.lastIndex(of: ")")
    else { return nil }
    // After the name: state ppid pgrp session ... num_threads(20) 21 starttime(22).
    let fields = line[line.index(after: close)...].split { $0 == " " || $0 == "\n" }
    guard fields.count > 19, let state = fields[0].first, let parent = pid_t(fields[1]),
      let group = pid_t(fields[2]), let session = pid_t(fields[3]), let threads = Int(fields[17]),
      let start = UInt64(fields[19])
    else { return nil }
    return ObservedProcess(
      pid: pid, name: String(line[line.index(after: open)..<close]), state: state, parent: parent,
      group: group, session: session, threads: threads, startTime: start)
  }

  static func all() -> [ObservedProcess] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var found: [ObservedProcess] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let pid = pid_t(name), let process = self.process(pid) { found.append(process) }
    }
    return found
  }

  /// Whether the process was started with this assignment in its environment.
  /// False also for who may not be looked into.
  static func environment(of pid: pid_t, holds assignment: String) -> Bool {
    guard let content = self.bytes("/proc/\(pid)/environ") else { return false }
    return content.split(separator: 0).contains { $0.elementsEqual(assignment.utf8) }
  }

  /// A line of /proc/PID/status: what follows `name:`.
  static func status(_ pid: pid_t, _ name: String) -> String? {
    guard let text = self.text("/proc/\(pid)/status") else { return nil }
    return StatusText(text)[name]
  }

  /// Where a link under /proc leads.
  static func link(_ path: String) -> String? {
    var target = [CChar](repeating: 0, count: 4096)
    let length = readlink(path, &target, target.count)
    guard length >= 0 else { return nil }
    return String(decoding: target.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static func children(of pid: pid_t) -> [ObservedProcess] {
    self.all().filter { $0.parent == pid }
  }

  /// The inodes of listening TCP sockets, by port, of both families.
  static func listeners() -> [UInt16: Set<UInt64>] {
    var found: [UInt16: Set<UInt64>] = [:]
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
      for line in (self.text(table) ?? "").split(separator: "\n").dropFirst() {
        let fields = line.split(separator: " ")
        // sl local_address rem_address st ... inode: st 0A is LISTEN.
        guard fields.count > 9, fields[3] == "0A", let port = fields[1].split(separator: ":").last,
          let number = UInt16(port, radix: 16), let inode = UInt64(fields[9])
        else { continue }
        found[number, default: []].insert(inode)
      }
    }
    return found
  }
}

/// The text of a /proc/PID/status, asked for by a line's name.
struct StatusText {
  private var lines: [Substring: Substring] = [:]

  init(_ text: String) {
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      self.lines[line[..<colon]] = line[line.index(after: colon)...]
    }
  }

  subscript(name: String) -> String? {
    self.lines[name[...]].map { $0.split { $0 == " " || $0 == "\t" }.joined(separator: " ") }
  }
}
