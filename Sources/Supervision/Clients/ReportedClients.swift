/// What a worker says of its clients in its answer to a request to stop.
package struct ReportedClients: Sendable, Equatable {
  /// Clients it has still to say goodbye to.
  package var connected: Int
  /// Requests it is still working on.
  package var requests: Int

  package init(connected: Int, requests: Int) {
    self.connected = connected
    self.requests = requests
  }

  var isNone: Bool { self.connected == 0 && self.requests == 0 }
}

/// What came of a request to stop.
package enum StopAnswer: Sendable, Equatable {
  /// It will; nil if it said nothing of clients that could be understood.
  case agreed(ReportedClients?)
  /// It will not, or did not say so; why.
  case refused(String)
}
