/// How long each part of a shutdown may take. What is done ends at once, and nothing is waited for longer.
public struct ShutdownTimeouts: Hashable, Sendable {
  /// For the requests in flight to end by themselves; 30 s.
  public var requests: Duration
  /// For what was ended by force to notice it, first the requests, then the clients; 1 s each.
  public var cancelledRequests: Duration
  /// For all clients together, the telling included, counted from the end of the request phase; 10 s.
  ///
  /// They are told earlier, when the shutdown is initiated, so that they can leave while requests are
  /// still being answered.
  public var clients: Duration
  /// For each cleanup that was registered without a timeout of its own; 10 s.
  public var cleanup: Duration
  /// For each flush hook, and for each write to the file of failed cleanups; 2 s.
  public var flush: Duration
  /// For the exit of the process, once the report is there; 5 s.
  public var exit: Duration

  /// Creates the timeouts; each has its default.
  public init(
    requests: Duration = .seconds(30), cancelledRequests: Duration = .seconds(1),
    clients: Duration = .seconds(10), cleanup: Duration = .seconds(10), flush: Duration = .seconds(2),
    exit: Duration = .seconds(5)
  ) {
    self.requests = requests
    self.cancelledRequests = cancelledRequests
    self.clients = clients
    self.cleanup = cleanup
    self.flush = flush
    self.exit = exit
  }
}
