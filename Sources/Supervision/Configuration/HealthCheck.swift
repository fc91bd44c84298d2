/// How the master keeps asking whether a ready worker is still alive.
///
/// - Important: The master of this version does not ask yet. A configuration file with a check is refused;
///   of a definition made in code, the check is passed over.
public struct HealthCheck: Sendable, Equatable {
  /// What is tried: tcp, http or exec.
  public var probe: Readiness
  /// The pause between two tries.
  public var every: Duration
  /// How long one try may take.
  public var timeout: Duration
  /// How many tries have to fail in a row before the worker counts as unhealthy.
  public var failures: Int

  /// Creates a check.
  public init(
    probe: Readiness, every: Duration = .seconds(10), timeout: Duration = .seconds(5), failures: Int = 3
  ) {
    self.probe = probe
    self.every = every
    self.timeout = timeout
    self.failures = failures
  }
}
