import Glibc
import Testing

/// Where the programs are that `programs/prepare` makes, and those of the machine.
enum RealPrograms {
  /// PROCCTL_REAL_WORKERS, or what was made last; nil if nothing was.
  static let directory: String? = {
    func value(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    let cache = value("XDG_CACHE_HOME") ?? value("HOME").map { "\($0)/.cache" }
    let made = value("PROCCTL_REAL_WORKERS") ?? cache.map { "\($0)/procctl/real-workers" }
    return made.flatMap { access("\($0)/ready", R_OK) == 0 ? $0 : nil }
  }()

  /// The scripts of these tests.
  static let scripts: String = {
    let own = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    return own.joined(separator: "/") + "/programs"
  }()

  /// A program of the environment with the servers, "python" among them.
  static func server(_ name: String) throws -> String { try self.path("servers/bin/\(name)") }

  /// A program of the environment with mcp-proxy, and an older official client.
  static func proxy(_ name: String) throws -> String { try self.path("proxy/bin/\(name)") }

  private static func path(_ path: String) throws -> String {
    guard let directory = self.directory else { throw WaitError("programs/prepare has not been run") }
    return "\(directory)/\(path)"
  }

  /// A program of the machine's, or else one that was unpacked.
  static func debian(_ name: String) -> String? {
    let places =
      ["/usr/sbin", "/usr/bin"]
      + (self.directory.map { ["\($0)/debian/usr/sbin", "\($0)/debian/usr/bin"] } ?? [])
    return places.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }

  /// Where the libraries are of what was unpacked.
  static var libraries: String { "\(self.directory ?? "")/debian/usr/lib/x86_64-linux-gnu" }

  /// The newest PostgreSQL of the machine's: it is too large to be fetched for a test.
  static let postgres: String? = ProcTable.names("/usr/lib/postgresql")
    .sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }
    .map { "/usr/lib/postgresql/\($0)/bin" }
    .first { access("\($0)/postgres", X_OK) == 0 && access("\($0)/psql", X_OK) == 0 }
}

extension TestWorker {
  /// - Parameter program: Any program and its arguments.
  init(
    _ name: String, program: [String], port: UInt16, ready: String? = "tcp", _ lines: String...
  ) {
    self.init(name, [], port: port, ready: ready)
    self.command = program
    self.lines = lines
  }
}

extension TestSession {
  /// A script of `programs`, run by the Python of the servers' environment or the proxy's.
  func python(_ script: String, _ arguments: [String], older: Bool = false) throws -> TestProcess {
    let python = older ? try RealPrograms.proxy("python") : try RealPrograms.server("python")
    return try self.start(
      Launch(python, ([self.script(script)] + arguments).map { Bytes($0) }))
  }

  private func script(_ name: String) -> String { "\(RealPrograms.scripts)/\(name)" }

  /// A client that has read the beginning of the answer.
  func reader(_ port: UInt16, _ path: String) async throws -> TestProcess {
    let reader = try self.python("get.py", ["\(port)", path])
    try await reader.output?.expect("open\n")
    return reader
  }

  /// The arguments of the processes of this test, with those.
  func commands() -> [(process: ObservedProcess, arguments: [String])] {
    self.members().map { process in
      let line = ProcTable.bytes("/proc/\(process.pid)/cmdline") ?? []
      return (process, line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
    }
  }

  /// A git repository with one commit and `greeting.txt`.
  func repository() async throws -> String {
    let path = self.path("repository")
    guard mkdir(path, 0o755) == 0 else { throw WaitError("mkdir \(path): \(errno)") }
    _ = try self.write("first\nsecond needle\n", to: "repository/greeting.txt")
    let git = try #require(Programs.find("git"))
    for arguments in [
      ["init", "-q"], ["add", "-A"],
      ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "Say hello"],
    ] {
      var launch = Launch(git, (["-C", path] + arguments).map { Bytes($0) })
      launch.environment = ["GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"]
      let result = try await self.start(launch).end()
      guard result.ending == .exited(0) else { throw WaitError("git \(arguments): \(result.errors)") }
    }
    return path
  }
}
