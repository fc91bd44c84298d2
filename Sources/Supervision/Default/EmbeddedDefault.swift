internal import CProcCtl
internal import Glibc
public import ProcCtl
public import SystemPackage

/// What `procctl run` does without a configuration: two repository workers, one
/// for the git repository around the current directory and one for a small
/// repository made for the purpose.
public struct EmbeddedDefault: Sendable {
  /// What the master is to run.
  public var configuration: MasterConfiguration
  /// The workers by name, with their ports and repositories.
  public var repositories: [(name: String, port: UInt16, path: FilePath)]

  private static let firstPort: UInt16 = 8081

  /// Makes what is missing (a repository in the runtime directory) and picks free ports.
  ///
  /// - Throws: `ProcessError` if there is no git, no repository-worker, no runtime
  ///   directory, or no free port.
  public static func prepare() throws(ProcessError) -> EmbeddedDefault {
    let worker = try self.workerExecutable()
    let runtime = try RuntimeDirectory.path()
    let demo = runtime.appending("demo-repository")
    try DemoRepository.make(at: demo, topic: "demo")
    let here: FilePath
    if let around = self.repositoryAroundHere() {
      here = around
    } else {
      here = runtime.appending("here-repository")
      try DemoRepository.make(at: here, topic: "here")
    }
    let ports = try self.freePorts(count: 2)
    let repositories = [
      (name: "here", port: ports[0], path: here), (name: "demo", port: ports[1], path: demo),
    ]
    let definitions = repositories.map { repository in
      WorkerDefinition(
        name: repository.name,
        command: [
          worker.string, "--repository", repository.path.string, "--port", "\(repository.port)",
        ],
        port: repository.port, ready: .http(path: "/health"))
    }
    return EmbeddedDefault(
      configuration: MasterConfiguration(workers: definitions), repositories: repositories)
  }

  /// What a person could try next.
  public var invitation: String {
    var lines = ["", "Two MCP servers are up:"]
    for repository in self.repositories {
      lines.append("  \(repository.name)  http://127.0.0.1:\(repository.port)/mcp  serves \(repository.path)")
    }
    let port = self.repositories[0].port
    let body =
      #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","#
      + #""capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}"#
    lines += [
      "Try, from another terminal:",
      "  curl -s http://127.0.0.1:\(port)/health",
      "  curl -s http://127.0.0.1:\(port)/mcp -H 'Accept: application/json, text/event-stream' \\",
      "    -H 'Content-Type: application/json' -d '\(body)'",
      "  kill -9 a worker and watch it come back; press Ctrl-C here for a clean, verified stop.", "",
    ]
    return lines.joined(separator: "\n")
  }

  /// The worker beside this very program, else the one in PATH.
  private static func workerExecutable() throws(ProcessError) -> FilePath {
    if let own = try? FilePath("/proc/self/exe").readingLink() {
      let beside = own.removingLastComponent().appending("repository-worker")
      if access(beside.string, X_OK) == 0 { return beside }
    }
    for directory in (getenv("PATH").map { String(cString: $0) } ?? "").split(separator: ":") {
      let candidate = FilePath(String(directory)).appending("repository-worker")
      if access(candidate.string, X_OK) == 0 { return candidate }
    }
    throw ProcessError(
      .commandNotFound, doing: "find repository-worker beside procctl or in PATH",
      underlyingError: .noSuchFileOrDirectory)
  }

  private static func repositoryAroundHere() -> FilePath? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard getcwd(&buffer, buffer.count) != nil else { return nil }
    var directory = FilePath(platformString: buffer)
    while true {
      if access(directory.appending(".git").string, F_OK) == 0 { return directory }
      guard directory.removeLastComponent() else { return nil }
    }
  }

  private static func freePorts(count: Int) throws(ProcessError) -> [UInt16] {
    var ports: [UInt16] = []
    var candidate = self.firstPort
    while ports.count < count, candidate < self.firstPort + 200 {
      if try PortCheck().state(of: candidate).isFreeForReuse { ports.append(candidate) }
      candidate += 1
    }
    guard ports.count == count else {
      throw ProcessError(
        .sockets, doing: "find \(count) free ports from \(self.firstPort) up",
        underlyingError: .addressInUse)
    }
    return ports
  }
}

extension FilePath {
  fileprivate func readingLink() throws(ProcessError) -> FilePath {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard readlink(self.string, &buffer, buffer.count - 1) > 0 else {
      throw ProcessError(.inspect, doing: "read \(self)", underlyingError: Errno(rawValue: errno))
    }
    return FilePath(platformString: buffer)
  }
}
