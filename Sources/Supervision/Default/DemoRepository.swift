internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// A small git repository, so that there is something to serve.
enum DemoRepository {
  /// Makes it unless it is there already.
  static func make(at path: FilePath, topic: String) throws(ProcessError) {
    if access(path.appending(".git").string, F_OK) == 0 { return }
    guard mkdir(path.string, 0o755) == 0 || errno == EEXIST else {
      throw ProcessError(.runtimeDirectory, doing: "make \(path)", underlyingError: Errno(rawValue: errno))
    }
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

  private static func git(_ arguments: [String], in directory: FilePath) throws(ProcessError) {
    // Nobody's own configuration: a commit must not ask for a name or a signature.
    let environment = Environment.inherit
      .setting("GIT_CONFIG_GLOBAL", to: "/dev/null").setting("GIT_CONFIG_NOSYSTEM", to: "1")
      .setting("GIT_AUTHOR_NAME", to: "procctl").setting("GIT_AUTHOR_EMAIL", to: "procctl@localhost")
      .setting("GIT_COMMITTER_NAME", to: "procctl").setting("GIT_COMMITTER_EMAIL", to: "procctl@localhost")
    let command = Command(
      .name("git"), arguments: arguments.map { ByteString($0) }, environment: environment,
      directory: directory, standardInput: .null)
    let child = try LinuxKernel().spawn(command).processIdentifier
    var status: Int32 = 0
    while waitpid(child.value, &status, 0) < 0 && errno == EINTR {}
    guard status == 0 else {
      throw ProcessError(.spawn, doing: "git \(arguments.joined(separator: " ")) in \(directory)")
    }
  }
}
