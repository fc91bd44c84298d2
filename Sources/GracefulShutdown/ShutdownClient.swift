/// Someone connected to the server who is told about a shutdown and then disconnected.
///
/// The methods may be called from any task. `notify` and `close` of different
/// clients run side by side, so one that hangs or throws delays no other. They
/// must not block their thread: suspend instead.
public protocol ShutdownClient: Sendable {
  /// Names the client in logs and in the report.
  var shutdownName: String { get }
  /// Tells the client that the server shuts down, while requests may still be in flight.
  func notify(_ reason: ShutdownReason) async throws
  /// Ends the connection in the protocol's own way; called after `notify` and after the last request.
  func close() async throws
  /// Drops the connection at once. Called when `notify` or `close` threw or took too long; must not block.
  func abort()
}

/// Takes back a registration with a `ShutdownCoordinator`.
public struct ShutdownRegistration: Sendable {
  private let removal: @Sendable () -> Void

  init(removal: @escaping @Sendable () -> Void) {
    self.removal = removal
  }

  /// Forgets what was registered. Calling it again, or when it has already run, does nothing.
  public func remove() {
    self.removal()
  }
}
