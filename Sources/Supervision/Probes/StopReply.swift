internal import FoundationEssentials

/// The body of a worker's answer to a request to stop:
/// `{"clients": {"connected": 3, "requests": 2}}`, with whatever else it likes to say.
package enum StopReply {
  /// The counts; nil for anything that is not of this form. The length is the caller's to bound.
  package static func clients(in body: [UInt8]) -> ReportedClients? {
    guard !body.isEmpty, let reply = try? JSONDecoder().decode(Reply.self, from: Data(body)) else {
      return nil
    }
    let counts = reply.clients
    guard counts.connected >= 0, counts.requests ?? 0 >= 0 else { return nil }
    return ReportedClients(connected: counts.connected, requests: counts.requests ?? 0)
  }

  private struct Reply: Decodable {
    struct Counts: Decodable {
      var connected: Int
      var requests: Int?
    }
    var clients: Counts
  }
}
