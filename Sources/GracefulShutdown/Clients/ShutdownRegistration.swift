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
