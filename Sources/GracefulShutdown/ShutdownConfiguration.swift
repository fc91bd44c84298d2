/// What a shutdown is allowed to do, and how long.
public struct ShutdownConfiguration: Hashable, Sendable {
  /// How long each part may take.
  public var timeouts: ShutdownTimeouts
  /// Whether what overstays its time is ended by force: requests cancelled, clients dropped, cleanups
  /// cancelled. If false it is only recorded, and goes on until the process exits. The waiting ends
  /// with the timeout either way.
  public var forcesAfterTimeout: Bool
  /// Which signals ask for the shutdown: TERM and INT.
  ///
  /// A value for whoever owns the signals of the process. That is exactly one: the application, a
  /// `ServiceGroup`, or the coordinator if it is asked to by ``ShutdownCoordinator/listenForSignals()``.
  public var signals: [ShutdownSignal]

  /// Creates a configuration; everything has its default.
  public init(
    timeouts: ShutdownTimeouts = ShutdownTimeouts(), forcesAfterTimeout: Bool = true,
    signals: [ShutdownSignal] = [.terminate, .interrupt]
  ) {
    self.timeouts = timeouts
    self.forcesAfterTimeout = forcesAfterTimeout
    self.signals = signals
  }
}

extension ShutdownConfiguration {
  /// Takes timeouts from environment variables, in seconds such as `30` or `2.5`:
  ///
  /// | variable | timeout |
  /// |---|---|
  /// | `PROCCTL_SHUTDOWN_REQUEST_TIMEOUT` | ``ShutdownTimeouts/requests`` |
  /// | `MCP_SHUTDOWN_CLIENT_TIMEOUT` | ``ShutdownTimeouts/clients`` |
  /// | `PROCCTL_SHUTDOWN_CLEANUP_TIMEOUT` | ``ShutdownTimeouts/cleanup`` |
  ///
  /// - Parameters:
  ///   - environment: The variables, such as `ProcessInfo.processInfo.environment`.
  ///   - base: What holds where no variable says otherwise.
  /// - Throws: `ShutdownSetupError` with code `.invalidSetting`, naming the variable, for what is not a
  ///   number from 0 to 86400.
  public init(
    environment: [String: String], base: ShutdownConfiguration = ShutdownConfiguration()
  ) throws(ShutdownSetupError) {
    self = base
    for (variable, timeout) in ShutdownConfiguration.variables {
      guard let text = environment[variable] else { continue }
      guard let duration = ShutdownConfiguration.duration(text) else {
        throw ShutdownSetupError(
          .invalidSetting, "\(variable) is \"\(text)\"; it must be a number of seconds from 0 to 86400")
      }
      self.timeouts[keyPath: timeout] = duration
    }
  }

  private static var variables: [(String, WritableKeyPath<ShutdownTimeouts, Duration>)] {
    [
      ("PROCCTL_SHUTDOWN_REQUEST_TIMEOUT", \.requests),
      ("MCP_SHUTDOWN_CLIENT_TIMEOUT", \.clients),
      ("PROCCTL_SHUTDOWN_CLEANUP_TIMEOUT", \.cleanup),
    ]
  }

  private static func duration(_ text: String) -> Duration? {
    let digits = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == 0x2E }
    guard digits, text.utf8.first != 0x2E, text.utf8.last != 0x2E, let seconds = Double(text),
      seconds <= 86_400
    else { return nil }
    return .milliseconds(Int64((seconds * 1000).rounded()))
  }
}
