internal import CProcCtl
internal import FoundationEssentials
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// A small git repository, so that there is something to serve.
enum DemoRepository {
  /// Makes it unless it is there already, with its commit. It appears under its
  /// name only when it is complete.
  static func make(at path: FilePath, topic: String) throws(ProcessError) {
    if try self.git(["rev-parse", "--quiet", "--verify", "HEAD^{commit}"], in: path, mayFail: true) {
      return
    }
    let draft = FilePath("\(path).\(getpid())")
    self.remove(draft)
    defer { self.remove(draft) }
    guard mkdir(draft.string, 0o755) == 0 else {
      throw ProcessError(.runtimeDirectory, doing: "make \(draft)", underlyingError: Errno(rawValue: errno))
    }
    try self.fill(draft, topic: topic)
    // An earlier one that was never finished.
    self.remove(path)
    guard rename(draft.string, path.string) == 0 || errno == EEXIST || errno == ENOTEMPTY else {
      throw ProcessError(.runtimeDirectory, doing: "make \(path)", underlyingError: Errno(rawValue: errno))
    }
  }

  private static func remove(_ path: FilePath) {
    try? FileManager.default.removeItem(atPath: path.string)
  }

  private static func fill(_ path: FilePath, topic: String) throws(ProcessError) {
    try self.write(
      "# \(topic)\n\nA repository made by procctl to have something to serve.\n",
      to: path.appending("README.md"))
    try self.git(["init", "--quiet", "--initial-branch=main"], in: path)
    try self.git(["add", "README.md"], in: path)
    try self.git(["commit", "--quiet", "--message=Say what this is"], in: path)
  }

  private static func write(_ text: String, to path: FilePath) throws(ProcessError) {
    let descriptor = cprocctl_open(path.string, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw ProcessError(.runtimeDirectory, doing: "write \(path)", underlyingError: Errno(rawValue: errno))
    }
    defer { close(descriptor) }
    var text = text
    let written = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard written == text.utf8.count else {
      throw ProcessError(.runtimeDirectory, doing: "write \(path)", underlyingError: Errno(rawValue: errno))
    }
  }

  /// False if it failed and may.
  @discardableResult
  private static func git(
    _ arguments: [String], in directory: FilePath, mayFail: Bool = false
  ) throws(ProcessError) -> Bool {
    // Nothing of the caller's but PATH: in a git hook GIT_DIR names the user's own repository,
    // and a commit must not ask for a name or a signature.
    let path = Environment.inherit.value(of: "PATH") ?? "/usr/local/bin:/usr/bin:/bin"
    let environment = Environment.empty
      .setting("PATH", to: path).setting("HOME", to: "/nonexistent")
      .setting("GIT_CONFIG_GLOBAL", to: "/dev/null").setting("GIT_CONFIG_NOSYSTEM", to: "1")
      .setting("GIT_DIR", to: ByteString(directory.appending(".git").string))
      .setting("GIT_WORK_TREE", to: ByteString(directory.string))
      .setting("GIT_AUTHOR_NAME", to: "procctl").setting("GIT_AUTHOR_EMAIL", to: "procctl@localhost")
      .setting("GIT_COMMITTER_NAME", to: "procctl").setting("GIT_COMMITTER_EMAIL", to: "procctl@localhost")
    let command = Command(
      .name("git"), arguments: arguments.map { ByteString($0) }, environment: environment,
      standardInput: .null, standardOutput: .null, standardError: mayFail ? .null : .inherited)
    let child = try LinuxKernel().spawn(command).processIdentifier
    var status: Int32 = 0
    while waitpid(child.value, &status, 0) < 0 && errno == EINTR {}
    guard status == 0 || mayFail else {
      throw ProcessError(.spawn, doing: "git \(arguments.joined(separator: " ")) in \(directory)")
    }
    return status == 0
  }
}
