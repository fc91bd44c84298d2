/// Where messages from the server to a client go: the session's open event stream.
package protocol EventSink: AnyObject, Sendable {
  func send(_ message: JSONValue)
  /// Ends the stream after what was sent.
  func end()
}

/// The sessions of a server: which there are, what each has open. Decides only.
package struct SessionTable {
  package struct Session {
    package var version: ProtocolVersion
    package var stream: (any EventSink)?
    package var requests: [RequestID: @Sendable () -> Void] = [:]
    fileprivate var lastUse: UInt64
  }

  package enum Admission: Equatable {
    case admitted
    case unknownSession
    /// A request with this id is still being answered.
    case duplicateID
  }

  /// What a session had open when it ended, for the caller to close.
  package struct Remains {
    package var stream: (any EventSink)?
    package var cancellations: [@Sendable () -> Void]

    package func close() {
      for cancel in self.cancellations { cancel() }
      self.stream?.end()
    }
  }

  private let limit: Int
  private var sessions: [String: Session] = [:]
  private var uses: UInt64 = 0

  /// - Parameter limit: How many sessions there may be; one more ends the idle one that was longest unused.
  package init(limit: Int) {
    self.limit = limit
  }

  package var count: Int { self.sessions.count }

  package func version(of id: String) -> ProtocolVersion? { self.sessions[id]?.version }

  /// Adds a session. Returns what an older one that had to make room has left; nil when there is no
  /// room, because every session has a stream or a request open.
  package mutating func open(_ id: String, version: ProtocolVersion) -> Remains? {
    var remains = Remains(stream: nil, cancellations: [])
    if self.sessions.count >= self.limit {
      let idle = self.sessions.filter { $0.value.stream == nil && $0.value.requests.isEmpty }
      guard let oldest = idle.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return nil }
      remains = self.close(oldest.key) ?? remains
    }
    self.uses += 1
    self.sessions[id] = Session(version: version, lastUse: self.uses)
    return remains
  }

  package mutating func touch(_ id: String) {
    self.uses += 1
    self.sessions[id]?.lastUse = self.uses
  }

  /// Returns nil for an unknown session.
  package mutating func close(_ id: String) -> Remains? {
    guard let session = self.sessions.removeValue(forKey: id) else { return nil }
    return Remains(stream: session.stream, cancellations: Array(session.requests.values))
  }

  /// Makes the stream the session's only one. Returns the one it takes the place of.
  package mutating func attach(_ stream: any EventSink, to id: String) -> (
    known: Bool, replaced: (any EventSink)?
  ) {
    guard let replaced = self.sessions[id]?.stream else {
      guard self.sessions[id] != nil else { return (false, nil) }
      self.sessions[id]?.stream = stream
      return (true, nil)
    }
    self.sessions[id]?.stream = stream
    return (true, replaced)
  }

  package mutating func detach(_ stream: any EventSink, from id: String) {
    if self.sessions[id]?.stream === stream { self.sessions[id]?.stream = nil }
  }

  package mutating func beginRequest(
    _ request: RequestID, in id: String, cancel: @escaping @Sendable () -> Void
  ) -> Admission {
    guard let session = self.sessions[id] else { return .unknownSession }
    guard session.requests[request] == nil else { return .duplicateID }
    self.sessions[id]?.requests[request] = cancel
    return .admitted
  }

  package mutating func endRequest(_ request: RequestID, in id: String) {
    self.sessions[id]?.requests[request] = nil
  }

  package func cancellation(of request: RequestID, in id: String) -> (@Sendable () -> Void)? {
    self.sessions[id]?.requests[request]
  }
}
