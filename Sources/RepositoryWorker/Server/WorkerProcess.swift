internal import Glibc
package import GracefulShutdown
package import Logging
package import SystemPackage

/// What the command line says.
package struct WorkerConfiguration: Sendable {
  /// As it was given.
  package var repository: FilePath
  package var socket: ListeningSocket

  package init(repository: FilePath, socket: ListeningSocket) {
    self.repository = repository
    self.socket = socket
  }
}

/// The life of a `repository-worker` process, from its configuration to its exit status.
package struct WorkerProcess: Sendable {
  package static let version = "0.1.0"

  package var configuration: WorkerConfiguration
  package var logger: Logger
  package var shutdown: ShutdownCoordinator

  package init(_ configuration: WorkerConfiguration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
    self.shutdown = ShutdownCoordinator(logger: logger)
  }

  /// Serves until it is told to stop, and exits: 0 after an orderly stop, 1 when it could not start
  /// or a cleanup failed. The calling thread waits for SIGTERM and SIGINT meanwhile, and must be the
  /// only one when this is called.
  package func runAndExit() -> Never {
    SignalWait.ignoreBrokenPipes()
    let signals = SignalWait(blocking: [SIGTERM, SIGINT])
    Task {
      do {
        let report = try await self.run()
        exit(report.failures.contains { $0.phase == .cleaningUp } ? 1 : 0)
      } catch {
        WorkerProcess.complain("\(error)")
        exit(1)
      }
    }
    while true {
      let number = signals.next()
      self.shutdown.initiate(reason: .signal(number == SIGTERM ? "SIGTERM" : "SIGINT"))
    }
  }

  private func run() async throws -> ShutdownReport {
    let path = try WorkerProcess.resolved(self.configuration.repository)
    let git = ProcCtlGit(repository: path, searchPath: WorkerProcess.environment("PATH") ?? "/usr/bin:/bin")
    let repository = Repository(name: path.lastComponent?.string ?? path.string, git: git)
    do {
      try await repository.check()
    } catch {
      throw WorkerError("cannot read the repository \(path): \(error)")
    }
    let mcp = MCPEndpoint(
      methods: MCPMethods(repository: repository, serverVersion: WorkerProcess.version),
      shutdown: self.shutdown)
    let server = try await WorkerServer.start(
      on: self.configuration.socket, service: WorkerService(mcp: mcp, shutdown: self.shutdown),
      logger: self.logger)
    return await server.run()
  }

  /// The directory's absolute path without symbolic links (realpath(3)).
  private static func resolved(_ path: FilePath) throws(WorkerError) -> FilePath {
    guard let pointer = path.withPlatformString({ realpath($0, nil) }) else {
      throw WorkerError("cannot read the repository \(path): \(Errno(rawValue: errno))")
    }
    defer { free(pointer) }
    return FilePath(platformString: pointer)
  }

  /// A variable of the environment. Only before there are other threads, or as long as none changes it.
  package static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// Writes one line to standard error.
  package static func complain(_ message: String) {
    let line = "repository-worker: \(message.split(separator: "\n").joined(separator: " "))\n"
    _ = try? FileDescriptor.standardError.writeAll(line.utf8)
  }
}
