/// What an event stream is for, which decides how it begins and what a client is told at its end.
package enum StreamPurpose: Hashable, Sendable {
  /// The stream of a session: messages of the server that answer no request.
  case session(String)
  /// The answer to `subscriptions/listen`, which this is the id of. It ends with the result.
  case subscription(RequestID, server: JSONValue)

  /// For logs and reports.
  package var description: String {
    switch self {
    case .session(let id): "stream of session \(id.prefix(8))"
    case .subscription(let id, _): "subscription \(id)"
    }
  }

  /// What the client gets first.
  package var opening: JSONValue? {
    switch self {
    case .session: nil
    case .subscription(let id, _):
      // This server's tools are the same for as long as it runs, so there is nothing to subscribe to.
      JSONRPCMessage.notification(
        "notifications/subscriptions/acknowledged",
        params: ["_meta": [RequestEnvelope.subscriptionKey: id.json], "notifications": [:]])
    }
  }

  /// What the client is told when the server begins to stop, because of `reason`.
  package func notice(_ reason: String) -> JSONValue? {
    switch self {
    case .session:
      JSONRPCMessage.notification("notifications/shutdown", params: ["reason": .string(reason)])
    // Nothing may come that was not subscribed to.
    case .subscription: nil
    }
  }

  /// What the client gets last when the server stops.
  package var farewell: JSONValue? {
    switch self {
    case .session: nil
    case .subscription(let id, let server):
      JSONRPCMessage.result(
        [
          "resultType": "complete",
          "_meta": [RequestEnvelope.subscriptionKey: id.json, RequestEnvelope.serverKey: server],
        ], id: id)
    }
  }
}
