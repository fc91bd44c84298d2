public import ArgumentParser
internal import Glibc
public import Logging
internal import RepositoryWorker
internal import SystemPackage

@main
struct RepositoryWorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repository-worker",
    abstract: "Serves one git repository, read-only, as an MCP server over streamable HTTP.",
    discussion: """
      Answers on /mcp, GET /health and POST /shutdown. POST /shutdown, SIGTERM and SIGINT end it in order: \
      new requests are refused, those in flight are finished, clients are told. With LISTEN_FDS it serves \
      the socket handed down by whoever started it. With NOTIFY_SOCKET it says when it is ready.
      """,
    version: WorkerProcess.version)

  @Option(help: ArgumentHelp("The root of the repository.", valueName: "path"))
  var repository: String

  @Option(help: "The port to listen on; 0 takes a free one. Not needed with a socket handed down.")
  var port: UInt16?

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(
    help: ArgumentHelp(
      "A name clients on this machine may use in the Host header, besides localhost; repeatable.",
      valueName: "name"))
  var allowHost: [String] = []

  @Option(help: ArgumentHelp("Serve this listening socket instead of opening one.", valueName: "descriptor"))
  var listenFD: Int32?

  @Option(help: "How much to log on standard error: trace, debug, info, notice, warning, error or critical.")
  var logLevel = Logger.Level.info

  func validate() throws {
    if self.listenFD == nil, self.port == nil, try self.inherited() == nil {
      throw ValidationError("--port is missing, and no listening socket was handed down")
    }
    if let descriptor = self.listenFD, descriptor < 0 {
      throw ValidationError("--listen-fd \(descriptor) is no descriptor")
    }
  }

  func run() throws {
    let socket: ListeningSocket =
      if let descriptor = self.listenFD {
        .inherited(FileDescriptor(rawValue: descriptor))
      } else if let descriptor = try self.inherited() {
        .inherited(descriptor)
      } else {
        .address(host: self.host, port: Int(self.port ?? 0))
      }
    let level = self.logLevel
    var logger = Logger(label: "repository-worker") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = level
    let configuration = WorkerConfiguration(
      repository: FilePath(self.repository), socket: socket, allowedHosts: self.allowHost)
    WorkerProcess(configuration, logger: logger).runAndExit()
  }

  private func inherited() throws -> FileDescriptor? {
    do {
      return try ListeningSocket.inherited(
        environment: WorkerProcess.environment, processIdentifier: getpid())
    } catch {
      throw ValidationError(error.description)
    }
  }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
