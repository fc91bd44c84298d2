public import Logging
public import ProcCtl
public import ServiceLifecycle
internal import Synchronization
public import SystemPackage

/// A master, with the workers it supervises, as a service of a `ServiceGroup`.
///
/// The master runs as a child process, `procctl run CONFIG`, and not inside this one: it is the subreaper
/// of its workers and reaps whatever it adopts, it has one thread and wants that to be the main one, and
/// every signal is its own. In a program with a `ServiceGroup` all of this belongs to others: the group
/// has the signals, the runtime has threads, and other libraries wait for children of their own. So each
/// keeps what it needs, and the graceful shutdown of the group is passed on as a SIGTERM to the master.
///
/// The service ends when the master has ended, nothing of what it started is left, and its exit status is
/// there. If this process dies without having said goodbye, the master gets a SIGTERM from the kernel
/// (prctl(2), PR_SET_PDEATHSIG) and stops its workers in order.
///
///     let master = MasterService(configuration: "/etc/app/workers.toml", logger: logger)
///     var configuration = ServiceGroupConfiguration(
///       services: [.init(service: master), .init(service: server)], gracefulShutdownSignals: [.sigterm],
///       logger: logger)
///     configuration.maximumGracefulShutdownDuration = master.longestStop + .seconds(10)
///     configuration.maximumCancellationDuration = MasterService.longestCancellation + .seconds(5)
public struct MasterService: Service, CustomStringConvertible {
  /// How long the service takes to end when its task is cancelled, at most: 10 s.
  public static let longestCancellation = Duration.seconds(10)

  private let configuration: FilePath?
  private let program: Executable
  private let stopLimit: Duration
  private let logger: Logger

  /// Creates a service; nothing is started before ``run()``.
  ///
  /// - Parameters:
  ///   - configuration: The master's configuration file; nil for what `procctl run` takes by itself.
  ///   - program: The `procctl` to run.
  ///   - stopLimit: How long the master may take to stop its workers. Its own time limits, from its
  ///     configuration, should end before, for at this one it is killed with all it started.
  ///   - logger: Where the start and the end of the master are written. What the master logs itself goes
  ///     to this process's standard error.
  public init(
    configuration: FilePath?, program: Executable = .name("procctl"), stopLimit: Duration = .seconds(120),
    logger: Logger = Logger(label: "master-service")
  ) {
    self.configuration = configuration
    self.program = program
    self.stopLimit = stopLimit
    self.logger = logger
  }

  /// The name in the group's logs.
  public var description: String { "procctl master" }

  /// How long the service takes to end after the graceful shutdown began, at most.
  public var longestStop: Duration { self.stopLimit + MasterService.longestCancellation }

  /// Runs the master until the group shuts down, or it ends by itself.
  ///
  /// - Throws: `ProcessError` if the master cannot be started; ``MasterServiceError`` if its exit status is
  ///   not 0 or something is left; `CancellationError` when cancelled.
  public func run() async throws {
    let children = try ChildProcesses()
    let child = try await children.spawn(self.command, leftovers: MasterService.force)
    self.logger.info("the master runs as pid \(child.processIdentifier)")
    let (ends, continuation) = AsyncStream.makeStream(of: ProcessEnd.self)
    // Reading a stream ends with cancellation, waiting for a child does not.
    Task {
      continuation.yield(await child.wait())
      continuation.finish()
    }
    let overdue = Mutex<Task<Void, Never>?>(nil)
    let limit = self.stopLimit
    let logger = self.logger
    let end = await withGracefulShutdownHandler {
      for await end in ends { return end as ProcessEnd? }
      return nil
    } onGracefulShutdown: {
      logger.info("asking the master to stop")
      child.send(.terminate)
      let task = Task {
        guard (try? await Task.sleep(for: limit)) != nil else { return }
        logger.error("the master did not stop within \(limit); killing it with all it started")
        await child.terminate(MasterService.force)
      }
      overdue.withLock { $0 = task }
    }
    overdue.withLock { $0?.cancel() }
    guard let end else {
      logger.warning("cancelled; ending the master with all it started")
      _ = await child.terminate(MasterService.hurriedStop)
      throw CancellationError()
    }
    try self.check(end)
  }

  private var command: Command {
    var setup = ChildSetup()
    setup.parentDeathSignal = .terminate
    var arguments: [ByteString] = ["run"]
    if let configuration = self.configuration { arguments.append(ByteString(configuration.string)) }
    return Command(
      self.program, arguments: arguments, standardInput: .null, setup: setup)
  }

  private static let force = Escalation(steps: [.init(.kill, wait: .seconds(5))])
  private static let hurriedStop = Escalation(steps: [
    .init(.terminate, wait: .seconds(4)), .init(.kill, wait: .seconds(5)),
  ])

  private func check(_ end: ProcessEnd) throws(MasterServiceError) {
    if let status = end.status, status.isSuccess, end.survivors.isEmpty, end.unverified == nil {
      return self.logger.info("the master has stopped, and nothing is left")
    }
    throw MasterServiceError(status: end.status, survivors: end.survivors, unverified: end.unverified)
  }
}

/// A master did not end as it should.
public struct MasterServiceError: Error, CustomStringConvertible {
  /// How it ended: the exit status says what went wrong, see procctl-run(1); nil if nobody can say.
  public let status: TerminationStatus?
  /// Who is left of what it started.
  public let survivors: [Survivor]
  /// Why nobody can say whether something is left; nil if it was looked for.
  public let unverified: ProcessError?

  /// One line for people.
  public var description: String {
    var line = "the master ended: \(self.status.map { "\($0)" } ?? "nobody knows how")"
    if !self.survivors.isEmpty {
      line += "; left: " + self.survivors.map { "\($0)" }.joined(separator: ", ")
    }
    if let unverified { line += "; what is left is not known: \(unverified)" }
    return line
  }
}
