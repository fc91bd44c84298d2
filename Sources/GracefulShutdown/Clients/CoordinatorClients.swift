internal import Logging
internal import Synchronization

extension ShutdownCoordinator {
  /// How many clients are registered and have not been disconnected.
  public var clientCount: Int { self.state.withLock { $0.clientCount } }

  /// Registers a client to be told and closed by the shutdown. Take it back when the client leaves.
  ///
  /// - Throws: `ShutdownError` with code `.clientRefused` once the shutdown was initiated.
  public func register(_ client: some ShutdownClient) throws(ShutdownError) -> ShutdownRegistration {
    let id = try self.state.withLock { state throws(ShutdownError) in try state.addClient(client) }
    return ShutdownRegistration { [weak self] in self?.clientLeft(id) }
  }

  private func clientLeft(_ id: UInt64) {
    let (client, isStopping) = self.state.withLock { ($0.removeClient(id), $0.reason != nil) }
    if let client, isStopping { self.settle(id, client, .left) }
  }

  /// Gives the client its outcome; returns false if it has one. What is to be done then is done before
  /// the client counts as gone.
  @discardableResult
  func settle(
    _ id: UInt64, _ client: ShutdownState.Client, _ outcome: ShutdownClientOutcome,
    doing then: () -> Void = {}
  ) -> Bool {
    guard client.result.fulfil(outcome) else { return false }
    then()
    let (left, total) = self.state.withLock { ($0.settled(id, outcome), $0.initialClients) }
    self.publish()
    // A line for each of a few, and ten for thousands.
    let isWorthALine = total <= 20 || left % max(total / 10, 1) == 0
    self.logger.log(
      level: isWorthALine ? .info : .debug,
      "client \(client.client.shutdownName) \(outcome), \(left) of \(total) clients left")
    if left == 0 { self.clientsSettled.fulfil(()) }
    return true
  }

  func told() {
    self.state.withLock { $0.countTold() }
    self.publish()
  }
}
