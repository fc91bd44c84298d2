internal import Synchronization

/// One request in flight, from ``ShutdownCoordinator/beginRequest(_:correlation:)`` until `end()`.
///
/// For servers built on callbacks; with async code ``ShutdownCoordinator/withRequest(_:correlation:_:)`` is simpler.
/// A token that is let go without being ended ends then.
public final class RequestToken: Sendable {
  private let id: UInt64
  private let coordinator: ShutdownCoordinator

  init(id: UInt64, coordinator: ShutdownCoordinator) {
    self.id = id
    self.coordinator = coordinator
  }

  deinit {
    self.coordinator.endRequest(self.id)
  }

  /// Says what to do when the time for requests is over and this one is still in flight.
  ///
  /// The handler is called at most once, from any thread, and at once if that time has passed already.
  public func onCancel(_ handler: @escaping @Sendable () -> Void) {
    if self.coordinator.state.withLock({ $0.setCancellation(of: self.id, handler) }) { handler() }
  }

  /// The request is answered. Calling it again does nothing.
  public func end() {
    self.coordinator.endRequest(self.id)
  }
}
