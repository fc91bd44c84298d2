internal import Synchronization

/// Something that is open until the shutdown closes it, such as a connection to a database.
///
/// Made by ``ShutdownCoordinator/openResource(_:timeout:open:close:)`` or
/// ``ShutdownCoordinator/openBlockingResource(_:timeout:open:close:)``. May be used from any thread or task,
/// also side by side.
public final class ShutdownResource<Value: Sendable>: Sendable {
  private struct State {
    /// nil once closing began.
    var value: Value?
    var uses = 0
    var registration: ShutdownRegistration?
  }

  /// As it was opened.
  public let name: String
  private let state: Mutex<State>
  /// Fulfilled when closing has begun and nobody uses it any more.
  private let unused = Promise<Void>()
  private let closed = Promise<Result<Void, any Error>>()
  private let closing: @Sendable (Value) async throws -> Void

  init(_ name: String, _ value: Value, closing: @escaping @Sendable (Value) async throws -> Void) {
    self.name = name
    self.state = Mutex(State(value: value))
    self.closing = closing
  }

  /// Whether it can be used.
  public var isOpen: Bool { self.state.withLock { $0.value != nil } }

  /// Uses it. It is not closed meanwhile; keep nothing of it afterwards.
  ///
  /// - Throws: ``ShutdownResourceClosed`` once closing has begun, or what the closure throws.
  public func use<Result>(_ body: (Value) throws -> Result) throws -> Result {
    let value = try self.begin()
    defer { self.end() }
    return try body(value)
  }

  /// Uses it. It is not closed meanwhile; keep nothing of it afterwards.
  ///
  /// - Throws: ``ShutdownResourceClosed`` once closing has begun, or what the closure throws.
  public func use<Result>(_ body: (Value) async throws -> Result) async throws -> Result {
    let value = try self.begin()
    defer { self.end() }
    return try await body(value)
  }

  /// Closes it before the shutdown does: refuses new uses, waits for those that have begun, and closes.
  /// Whoever calls it again waits for the same end.
  ///
  /// - Throws: What closing threw.
  public func close() async throws {
    let (value, registration) = self.state.withLock { state -> (Value?, ShutdownRegistration?) in
      guard let value = state.value else { return (nil, nil) }
      state.value = nil
      if state.uses == 0 { self.unused.fulfil(()) }
      return (value, state.registration)
    }
    guard let value else { return try await self.closed.value.get() }
    registration?.remove()
    await self.unused.value
    do {
      try await self.closing(value)
      self.closed.fulfil(.success(()))
    } catch {
      self.closed.fulfil(.failure(error))
      throw error
    }
  }

  func set(_ registration: ShutdownRegistration) {
    self.state.withLock { $0.registration = registration }
  }

  private func begin() throws(ShutdownResourceClosed) -> Value {
    let value = self.state.withLock { state in
      if state.value != nil { state.uses += 1 }
      return state.value
    }
    guard let value else { throw ShutdownResourceClosed(name: self.name) }
    return value
  }

  private func end() {
    let isLast = self.state.withLock { state in
      state.uses -= 1
      return state.uses == 0 && state.value == nil
    }
    if isLast { self.unused.fulfil(()) }
  }
}

/// A resource was used after its closing had begun.
public struct ShutdownResourceClosed: Error, Hashable, Sendable, CustomStringConvertible {
  /// As it was opened.
  public var name: String

  /// Creates the error.
  public init(name: String) {
    self.name = name
  }

  /// One line for people.
  public var description: String { "\(self.name) is closed" }
}

extension ShutdownCoordinator {
  /// Opens something now and has the shutdown close it, in the order of cleanups.
  ///
  /// The closing waits for uses that have begun. If they, or the closing, take longer than the timeout,
  /// the shutdown goes on and says so in its report.
  ///
  /// - Parameters:
  ///   - name: Names it in logs and in the report.
  ///   - timeout: How long closing may take; nil for the coordinator's time for a cleanup.
  ///   - open: Opens it. What it throws is thrown on, and nothing is registered.
  ///   - close: Closes it; called once. Both must suspend rather than block.
  /// - Throws: What `open` throws, or `ShutdownError` with code `.cleanupRefused` after the last cleanup
  ///   has run: what was opened is closed again then.
  public func openResource<Value: Sendable>(
    _ name: String, timeout: Duration? = nil, open: @escaping @Sendable () async throws -> Value,
    close: @escaping @Sendable (Value) async throws -> Void
  ) async throws -> ShutdownResource<Value> {
    if let reason = self.reason, self.phase == .finished {
      throw ShutdownError(.cleanupRefused, name: name, reason: reason)
    }
    let resource = ShutdownResource(name, try await open(), closing: close)
    do {
      resource.set(try self.addCleanup(name, timeout: timeout) { try await resource.close() })
    } catch {
      try? await resource.close()
      throw error
    }
    return resource
  }

  /// As ``openResource(_:timeout:open:close:)``, for calls that block: each runs on a thread of its own.
  ///
  /// - Throws: As ``openResource(_:timeout:open:close:)``.
  public func openBlockingResource<Value: Sendable>(
    _ name: String, timeout: Duration? = nil, open: @escaping @Sendable () throws -> Value,
    close: @escaping @Sendable (Value) throws -> Void
  ) async throws -> ShutdownResource<Value> {
    try await self.openResource(name, timeout: timeout) {
      try await BlockingThread.run(open)
    } close: { value in
      try await BlockingThread.run { try close(value) }
    }
  }
}
