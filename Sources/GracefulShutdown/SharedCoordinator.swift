public import CoreMetrics
public import Logging
internal import Synchronization

extension ShutdownCoordinator {
  private static let sharedInstance = Mutex<ShutdownCoordinator?>(nil)

  /// The coordinator of this process, for applications that do not want to hand one around.
  ///
  /// It is the one that ``bootstrap(_:logger:metrics:deadLetters:)`` made, else one with the default
  /// configuration, made at the first use. Libraries and tests should rather be given one.
  public static var shared: ShutdownCoordinator {
    self.sharedInstance.withLock { instance in
      if let instance { return instance }
      let new = ShutdownCoordinator()
      instance = new
      return new
    }
  }

  /// Makes the shared coordinator, once, before it is first used.
  ///
  /// - Parameters:
  ///   - configuration: What the shutdown may do, and how long.
  ///   - logger: Where the course of the shutdown is written.
  ///   - metrics: Where durations and counts go; nil for what `MetricsSystem` has been bootstrapped with.
  ///   - deadLetters: Where failed cleanups that can be tried again are kept; nil for nowhere.
  /// - Returns: The shared coordinator.
  /// - Throws: `ShutdownSetupError` with code `.alreadyBootstrapped` if there is one; that one stays.
  @discardableResult
  public static func bootstrap(
    _ configuration: ShutdownConfiguration = ShutdownConfiguration(),
    logger: Logger = Logger(label: "graceful-shutdown"), metrics: (any MetricsFactory)? = nil,
    deadLetters: DeadLetterFile? = nil
  ) throws(ShutdownSetupError) -> ShutdownCoordinator {
    let made = self.sharedInstance.withLock { instance -> ShutdownCoordinator? in
      guard instance == nil else { return nil }
      instance = ShutdownCoordinator(
        configuration: configuration, logger: logger, metrics: metrics, deadLetters: deadLetters)
      return instance
    }
    guard let made else {
      throw ShutdownSetupError(
        .alreadyBootstrapped, "the shared shutdown coordinator is configured or in use already")
    }
    return made
  }
}
