package import ProcCtl

/// What the master asks of the network on behalf of workers. One conformance
/// talks to sockets, the other is simulated.
package protocol WorkerNetwork: AnyObject {
  /// Whether a worker could bind the port now, and who is in the way.
  func verdict(onPort port: UInt16) -> PortVerdict

  /// Ends these processes with all below them, whoever's they are, by TERM and then KILL; calls back
  /// once, later, with who survived.
  func end(_ processes: [ProcessIdentity], completion: @escaping (HolderEnd) -> Void) -> any HolderStop

  /// Looks for readiness until it is found; the handler is called once then,
  /// unless the attempt is cancelled first.
  ///
  /// - Parameter members: The worker's processes now. An answer counts only if the
  ///   listening socket is one of theirs.
  func awaitReadiness(
    of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
    whenReady: @escaping () -> Void
  ) -> any ReadinessSearch

  /// Asks the worker to stop, on this port or on the request's own Unix socket; calls back once.
  ///
  /// - Parameter members: The worker's processes. Somebody else who listens there is not asked.
  func send(
    _ request: StopRequest, toPort port: UInt16?, members: [ProcessIdentifier],
    completion: @escaping (StopAnswer) -> Void
  ) -> any Cancellable

  /// How many clients are connected on each of the ports; one without any may be absent. Requests to stop
  /// are not counted.
  ///
  /// - Throws: `ProcessError` if nobody can say.
  func clients(on ports: [ClientPort]) throws(ProcessError) -> [UInt16: Int]

  /// Ends the connections of the clients on the port, and no others.
  func disconnectClients(on port: ClientPort) throws(ProcessError) -> Disconnection
}

/// Something under way that can be called off. After that its handler is not called.
package protocol Cancellable: AnyObject {
  func cancel()
}

/// A look for readiness that goes on.
package protocol ReadinessSearch: Cancellable {
  /// What the worker lacks to be ready, in words, as of the last look; nil if nothing is known.
  ///
  /// - Parameter closely: Find out more, which takes a look at all sockets that listen.
  func missing(closely: Bool) -> String?
}
