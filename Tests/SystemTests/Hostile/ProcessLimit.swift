import Glibc

/// No more than so many processes: a cgroup with the pids controller, of version 1 or 2, or where
/// there is neither, another user with an RLIMIT_NPROC. As root.
final class ProcessLimit: Sendable {
  /// Of test-workload: puts it below the limit.
  let actions: [Bytes]
  /// Of the cgroup, if it is one.
  let path: String?
  private let user: Int32 = 54_321

  /// Where cgroups with a limit of processes can be made.
  static let parent: String? = {
    for line in (ProcTable.text("/proc/self/mountinfo") ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 3, fields[dash + 1] == "cgroup",
        fields[dash + 3].split(separator: ",").contains("pids"), fields[3] == "/"
      else { continue }
      let own = (ProcTable.text("/proc/self/cgroup") ?? "").split(separator: "\n")
        .map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }
        .first { $0.count == 3 && $0[1].split(separator: ",").contains("pids") }
      return own.map { "\(fields[4])\($0[2] == "/" ? "" : $0[2])" }
    }
    // Version 2, if the controller is handed down to where we are.
    guard let parent = TestCgroup.parent,
      (ProcTable.text("\(parent)/cgroup.subtree_control") ?? "").split(separator: " ").contains("pids")
    else { return nil }
    return parent
  }()

  init(_ count: Int) throws {
    guard let parent = Self.parent else {
      self.path = nil
      self.actions = ["limit-processes", "\(count)", "user", "\(self.user)"]
      return
    }
    let path = "\(parent)/procctl-test-limit-\(UInt64.random(in: .min ... .max))"
    guard mkdir(path, 0o755) == 0 else { throw WaitError("mkdir \(path): \(errno)") }
    self.path = path
    self.actions = ["join", Bytes(path)]
    try self.set("\(count)")
  }

  /// The new limit: `max` for none.
  func set(_ limit: String) throws {
    guard let path = self.path else { throw WaitError("a limit for good") }
    try ControlFile.write(limit, to: "\(path)/pids.max")
  }

  /// How many there are, processes and threads; nil without a cgroup.
  var count: Int? {
    self.path.flatMap { ProcTable.text("\($0)/pids.current") }.flatMap { Int($0.split(separator: "\n")[0]) }
  }

  func remove(_ session: TestSession) async throws {
    guard let path = self.path else { return }
    try await session.until("nobody is below the limit") { rmdir(path) == 0 }
  }
}

/// Files that control the kernel.
enum ControlFile {
  static func write(_ text: String, to path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw WaitError("open \(path): \(errno)") }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard bytes.withUnsafeBytes({ Glibc.write(descriptor, $0.baseAddress, $0.count) }) == bytes.count else {
      throw WaitError("write \(path): \(errno)")
    }
  }
}
