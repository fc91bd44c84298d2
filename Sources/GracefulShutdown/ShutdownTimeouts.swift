/// How long each phase of a shutdown may take. A phase whose work is done ends at once.
public struct ShutdownTimeouts: Hashable, Sendable {
  /// For the requests in flight to end by themselves; 30 s.
  public var requests: Duration
  /// For requests whose tasks were cancelled to notice it; 1 s.
  public var cancelledRequests: Duration
  /// For all clients together to be told and closed, counted from the end of the request phase; 10 s.
  public var clients: Duration
  /// For each cleanup that was registered without a timeout of its own; 10 s.
  public var cleanup: Duration

  public init(
    requests: Duration = .seconds(30), cancelledRequests: Duration = .seconds(1),
    clients: Duration = .seconds(10), cleanup: Duration = .seconds(10)
  ) {
    self.requests = requests
    self.cancelledRequests = cancelledRequests
    self.clients = clients
    self.cleanup = cleanup
  }
}
