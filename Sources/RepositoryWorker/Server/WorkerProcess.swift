internal import Glibc
package import GracefulShutdown
package import Logging
package import SystemPackage
internal import SystemdNotify

/// What the command line says.
package struct WorkerConfiguration: Sendable {
  /// As it was given.
  package var repository: FilePath
  package var socket: ListeningSocket
  /// Names besides those of the loopback addresses.
  package var allowedHosts: [String]

  package init(repository: FilePath, socket: ListeningSocket, allowedHosts: [String] = []) {
    self.repository = repository
    self.socket = socket
    self.allowedHosts = allowedHosts
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
  /// or a cleanup failed. SIGTERM and SIGINT tell it; the calling thread only waits.
  package func runAndExit() -> Never {
    do {
      try self.shutdown.listenForSignals()
    } catch {
      WorkerProcess.complain("\(error)")
      exit(1)
    }
    Task {
      do {
        let report = try await self.run()
        exit(report.failures.contains { $0.phase == .cleaningUp } ? 1 : 0)
      } catch {
        WorkerProcess.complain("\(error)")
        exit(1)
      }
    }
    while true { pause() }
  }

  private func run() async throws -> ShutdownReport {
    let path = try WorkerProcess.resolved(self.configuration.repository)
    let git = ProcCtlGit(repository: path, searchPath: WorkerProcess.environment("PATH") ?? "/usr/bin:/bin")
    let repository = Repository(name: path.lastComponent?.string ?? path.string, git: BoundedGit(git))
    do {
      try await repository.check()
    } catch {
      throw WorkerError("cannot read the repository \(path): \(error)")
    }
    let mcp = MCPEndpoint(
      methods: MCPMethods(repository: repository, serverVersion: WorkerProcess.version),
      shutdown: self.shutdown)
    let service = WorkerService(
      mcp: mcp, shutdown: self.shutdown, hosts: HostPolicy(allowed: self.configuration.allowedHosts))
    let server = try await WorkerServer.start(
      on: self.configuration.socket, service: service, logger: self.logger)
    self.notify { try ServiceNotifier().ready(status: "serving \(repository.name)") }
    let phases = self.shutdown.phases
    Task {
      for await phase in phases where phase != .running {
        self.notify { try ServiceNotifier().stopping() }
        break
      }
    }
    return await server.run()
  }

  /// Tells whoever started us, if that wants to know (sd_notify(3)). A worker that cannot say so still works.
  private func notify(_ tell: () throws -> Void) {
    do {
      try tell()
    } catch {
      self.logger.warning("\(error)")
    }
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
