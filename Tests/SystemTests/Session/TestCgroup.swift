import CProcCtl
import Glibc

/// A cgroup v2 of a test's own, below the one we run in: whoever the test
/// starts stays in it, whatever it does to its environment and its session.
final class TestCgroup: Sendable {
  let path: String

  /// Where one can be made; nil without rights or without a v2 tree.
  static let parent: String? = {
    guard let mount = TestCgroup.mount(), let own = TestCgroup.own() else { return nil }
    let parent = own == "/" ? mount : mount + own
    let probe = "\(parent)/procctl-test-probe-\(getpid())"
    guard mkdir(probe, 0o755) == 0 else { return nil }
    rmdir(probe)
    return access("\(parent)/cgroup.procs", W_OK) == 0 ? parent : nil
  }()

  init?(name: String) {
    guard let parent = TestCgroup.parent else { return nil }
    self.path = "\(parent)/\(name)"
    guard mkdir(self.path, 0o755) == 0 else { return nil }
  }

  /// Everyone alive in it and in the cgroups below it.
  func members() -> [ObservedProcess] {
    self.subtree().flatMap { directory in
      (ProcTable.text("\(directory)/cgroup.procs") ?? "").split(separator: "\n")
        .compactMap { pid_t($0) }.compactMap { ProcTable.process($0) }
    }
  }

  func kill() {
    let control = open("\(self.path)/cgroup.kill", O_WRONLY | O_CLOEXEC)
    guard control >= 0 else { return }
    _ = write(control, "1", 1)
    close(control)
  }

  /// The names of the cgroups straight below it.
  func children() -> [String] {
    self.subtree().dropFirst().map { $0.dropFirst(self.path.count + 1) }.filter { !$0.contains("/") }
      .map(String.init)
  }

  /// Kills everyone in it, waits until nobody is left, and removes it.
  func remove(by deadline: Deadline) throws {
    self.kill()
    let events = open("\(self.path)/cgroup.events", O_RDONLY | O_CLOEXEC)
    defer { if events >= 0 { close(events) } }
    while (ProcTable.text("\(self.path)/cgroup.events") ?? "populated 0").contains("populated 1") {
      var watch = pollfd(fd: events, events: Int16(POLLPRI), revents: 0)
      // The first poll of a fresh descriptor reports at once; then changes are awaited.
      guard poll(&watch, 1, deadline.milliseconds) > 0 || !deadline.hasPassed else {
        throw WaitError("cgroup \(self.path) is not empty: \(self.members())")
      }
      var buffer = [UInt8](repeating: 0, count: 256)
      _ = pread(events, &buffer, buffer.count, 0)
    }
    for directory in self.subtree().reversed() { rmdir(directory) }
  }

  /// Itself and all below it, parents first.
  private func subtree() -> [String] {
    var found = [self.path]
    var index = 0
    while index < found.count {
      if let directory = opendir(found[index]) {
        while let entry = readdir(directory) {
          let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
          }
          if entry.pointee.d_type == UInt8(DT_DIR), name != ".", name != ".." {
            found.append("\(found[index])/\(name)")
          }
        }
        closedir(directory)
      }
      index += 1
    }
    return found
  }

  /// Where the v2 tree is mounted.
  static var mountPoint: String? { self.mount() }

  /// Beside v1 hierarchies the v2 tree can be mounted anywhere.
  private static func mount() -> String? {
    for line in (ProcTable.text("/proc/self/mountinfo") ?? "").split(separator: "\n") {
      let halves = line.split(separator: " ")
      guard let dash = halves.firstIndex(of: "-"), halves.count > dash + 1, halves[dash + 1] == "cgroup2",
        halves.count > 4, halves[3] == "/"
      else { continue }
      return String(halves[4])
    }
    return nil
  }

  private static func own() -> String? {
    for line in (ProcTable.text("/proc/self/cgroup") ?? "").split(separator: "\n") where line.hasPrefix("0::")
    {
      return String(line.dropFirst(3))
    }
    return nil
  }
}
