internal import Synchronization

extension ShutdownCoordinator {
  /// Registers work for the end, last registered first, one at a time.
  ///
  /// When its time is over its task is cancelled, and the next one runs whether it returns or not.
  ///
  /// - Parameters:
  ///   - name: Names it in logs and in the report.
  ///   - timeout: How long it may take; nil for the coordinator's.
  ///   - retry: How it can be made up for later, should it fail; see ``DeadLetterFile``.
  ///   - body: What to do. It must suspend rather than block its thread; for what blocks there is
  ///     ``addBlockingCleanup(_:timeout:retry:_:)``. What it throws is recorded and stops nothing.
  /// - Throws: `ShutdownError` with code `.cleanupRefused` after the last cleanup has run.
  @discardableResult
  public func addCleanup(
    _ name: String, timeout: Duration? = nil, retry: CleanupRetry? = nil,
    _ body: @escaping @Sendable () async throws -> Void
  ) throws(ShutdownError) -> ShutdownRegistration {
    try self.addCleanup(name, timeout: timeout, retry: retry, work: .asynchronous(body))
  }

  /// Registers work for the end that may block: it runs on a thread of its own.
  ///
  /// A body that never returns keeps its thread, and nothing else, until the process exits.
  ///
  /// - Parameters:
  ///   - name: Names it in logs and in the report.
  ///   - timeout: How long it may take; nil for the coordinator's.
  ///   - retry: How it can be made up for later, should it fail; see ``DeadLetterFile``.
  ///   - body: What to do. What it throws is recorded and stops nothing.
  /// - Throws: `ShutdownError` with code `.cleanupRefused` after the last cleanup has run.
  @discardableResult
  public func addBlockingCleanup(
    _ name: String, timeout: Duration? = nil, retry: CleanupRetry? = nil,
    _ body: @escaping @Sendable () throws -> Void
  ) throws(ShutdownError) -> ShutdownRegistration {
    try self.addCleanup(name, timeout: timeout, retry: retry, work: .blocking(body))
  }

  /// Registers what writes out buffered logs, metrics or traces. It runs last, after all cleanups and
  /// after the last line was logged, first registered first, and on a thread of its own.
  ///
  /// swift-log and swift-metrics have no call for this; the closure is for what the application
  /// bootstrapped them with: `addFlush("metrics") { try exporter.forceFlush() }`.
  ///
  /// - Parameters:
  ///   - name: Names it in the report.
  ///   - timeout: How long it may take; nil for the coordinator's.
  ///   - body: What to do; it may block. What it throws is recorded and stops nothing.
  /// - Throws: `ShutdownError` with code `.cleanupRefused` after the last one has run.
  @discardableResult
  public func addFlush(
    _ name: String, timeout: Duration? = nil, _ body: @escaping @Sendable () throws -> Void
  ) throws(ShutdownError) -> ShutdownRegistration {
    let id = try self.state.withLock { state throws(ShutdownError) in
      try state.addFlush(name, timeout: timeout, work: .blocking(body))
    }
    return ShutdownRegistration { [weak self] in self?.state.withLock { $0.removeCleanup(id) } }
  }

  func addCleanup(
    _ name: String, timeout: Duration?, retry: CleanupRetry?, work: BoundedWork
  ) throws(ShutdownError) -> ShutdownRegistration {
    let id = try self.state.withLock { state throws(ShutdownError) in
      try state.addCleanup(name, timeout: timeout, work: work, retry: retry)
    }
    return ShutdownRegistration { [weak self] in self?.state.withLock { $0.removeCleanup(id) } }
  }
}
