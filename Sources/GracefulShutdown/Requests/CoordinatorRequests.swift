internal import Logging
internal import Synchronization

extension ShutdownCoordinator {
  /// How many requests are in flight.
  public var requestCount: Int { self.state.withLock { $0.requestCount } }

  /// Counts a request as in flight until the token is ended.
  ///
  /// - Parameters:
  ///   - name: Names it in logs and in the report, should it overstay.
  ///   - correlation: The id by which other logs know this request; lines about it carry it as `request-id`.
  /// - Throws: `ShutdownError` with code `.requestRefused` once the shutdown was initiated.
  public func beginRequest(_ name: String, correlation: String? = nil) throws(ShutdownError) -> RequestToken {
    do throws(ShutdownError) {
      let id = try self.state.withLock { state throws(ShutdownError) in
        try state.beginRequest(name, correlation: correlation)
      }
      return RequestToken(id: id, coordinator: self)
    } catch {
      self.logger.debug("\(error)", metadata: ShutdownCoordinator.metadata(request: correlation))
      throw error
    }
  }

  /// Runs a request that the shutdown waits for, in a task it can cancel.
  ///
  /// Cancelling the calling task cancels the request too.
  ///
  /// - Parameters:
  ///   - name: Names it in logs and in the report, should it overstay.
  ///   - correlation: The id by which other logs know this request; lines about it carry it as `request-id`.
  ///   - operation: The request. When the time for requests is over its task is cancelled, unless the
  ///     configuration forces nothing.
  /// - Throws: `ShutdownError` with code `.requestRefused` once the shutdown was
  ///   initiated, or what the operation throws.
  public func withRequest<Success: Sendable>(
    _ name: String, correlation: String? = nil, _ operation: @escaping @Sendable () async throws -> Success
  ) async throws -> Success {
    let token = try self.beginRequest(name, correlation: correlation)
    defer { token.end() }
    let task = Task { try await operation() }
    token.onCancel { task.cancel() }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  func endRequest(_ id: UInt64) {
    guard let left = self.state.withLock({ $0.endRequest(id) }) else { return }
    self.publish()
    if left == 0 { self.drained.fulfil(()) }
  }

  static func metadata(request: String?) -> Logger.Metadata? {
    request.map { ["request-id": "\($0)"] }
  }
}
