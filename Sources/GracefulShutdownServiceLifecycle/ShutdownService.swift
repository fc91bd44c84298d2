public import GracefulShutdown
public import ServiceLifecycle

/// A coordinator as a service of a `ServiceGroup`.
///
/// The graceful shutdown of the group initiates the coordinator's, and the service ends when the report is
/// there. The other way round, a shutdown that was initiated otherwise, such as by a request, ends the
/// service, and with ``serviceConfiguration`` the group:
///
///     var configuration = ServiceGroupConfiguration(
///       services: [.init(service: server), ShutdownService(shutdown).serviceConfiguration],
///       gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
///     try configuration.allowTime(for: shutdown)
///
/// The signals are the group's: do not call `listenForSignals()`. A group shuts down the service that was
/// listed last first and waits for it, so the coordinator's place is after what it needs to the end, such
/// as a database, and after the server whose requests it counts.
///
/// If the task is cancelled, because the group gave up waiting, the service initiates the shutdown if
/// nobody has, and throws at once: a group ends the process by a trap when cancellation takes long. The
/// shutdown goes on, as far as the process lives.
public struct ShutdownService: Service, CustomStringConvertible {
  private let coordinator: ShutdownCoordinator

  /// Creates a service for the coordinator; one is enough.
  public init(_ coordinator: ShutdownCoordinator) {
    self.coordinator = coordinator
  }

  /// The name in the group's logs.
  public var description: String { "GracefulShutdown" }

  /// For the group: when the shutdown has finished, the other services are shut down gracefully too.
  public var serviceConfiguration: ServiceGroupConfiguration.ServiceConfiguration {
    .init(
      service: self, successTerminationBehavior: .gracefullyShutdownGroup,
      failureTerminationBehavior: .gracefullyShutdownGroup)
  }

  /// Returns when the coordinator's shutdown has finished.
  ///
  /// - Throws: ``ShutdownNotClean`` if the report is not clean; `CancellationError` when cancelled.
  public func run() async throws {
    let coordinator = self.coordinator
    let (reports, continuation) = AsyncStream.makeStream(of: ShutdownReport.self)
    // Reading a stream ends with cancellation, waiting for the report does not.
    let waiting = Task {
      continuation.yield(await coordinator.report)
      continuation.finish()
    }
    let report = await withTaskCancellationOrGracefulShutdownHandler {
      for await report in reports { return report as ShutdownReport? }
      return nil
    } onCancelOrGracefulShutdown: {
      if !coordinator.isShuttingDown {
        coordinator.initiate(reason: .requested(by: "the service group"))
      }
    }
    guard let report else {
      waiting.cancel()
      throw CancellationError()
    }
    guard report.isClean else { throw ShutdownNotClean(report: report) }
  }
}

/// A shutdown in which something failed or had to be forced.
public struct ShutdownNotClean: Error, CustomStringConvertible {
  /// What it did.
  public let report: ShutdownReport

  /// The report's one line.
  public var description: String { "shutdown \(self.report)" }
}

extension ServiceGroupConfiguration {
  /// Makes sure that the coordinator's deadlines come before the group's: where the group has none it gets
  /// the longest that the coordinator's shutdown can take, and two seconds. Call it when the cleanups are
  /// registered.
  ///
  /// - Throws: `ShutdownSetupError` with code `.deadlineTooShort` if the group has a
  ///   `maximumGracefulShutdownDuration` that is no longer than the coordinator's shutdown can take.
  public mutating func allowTime(for coordinator: ShutdownCoordinator) throws(ShutdownSetupError) {
    let longest = coordinator.longestShutdown
    guard let limit = self.maximumGracefulShutdownDuration else {
      self.maximumGracefulShutdownDuration = longest + .seconds(2)
      return
    }
    guard limit > longest else {
      throw ShutdownSetupError(
        .deadlineTooShort,
        "the service group waits \(limit), but the shutdown's timeouts allow \(longest): it must wait longer")
    }
  }
}
