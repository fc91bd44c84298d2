/// What the health endpoint can be asked, and what it answers. A value without I/O.
package enum HealthPage: String, Sendable, CaseIterable {
  /// The loop turns.
  case alive = "/healthz"
  /// Every worker is ready; once a stop has begun, never again.
  case ready = "/readyz"
  case metrics = "/metrics"

  /// - Parameter target: As in the request line; a query is ignored.
  package init?(target: String) {
    self.init(rawValue: String(target.prefix { $0 != "?" && $0 != "#" }))
  }

  package enum Request: Sendable, Equatable {
    case page(HealthPage)
    case notFound
    case methodNotAllowed
  }

  package static func request(method: String, target: String) -> Request {
    guard let page = HealthPage(target: target) else { return .notFound }
    return method == "GET" || method == "HEAD" ? .page(page) : .methodNotAllowed
  }
}

/// Why a master is not ready, for `/readyz`.
package struct Unreadiness: Codable, Sendable, Equatable {
  package struct Worker: Codable, Sendable, Equatable {
    package var name: String
    package var state: String
    package var trouble: String?

    package init(name: String, state: String, trouble: String? = nil) {
      self.name = name
      self.state = state
      self.trouble = trouble
    }
  }

  package var ready = false
  package var phase: String
  /// Why it is being stopped.
  package var reason: String?
  package var ready_workers: Int
  package var all_workers: Int
  /// The first few that are missing.
  package var missing: [Worker]

  /// As many as fit a page that somebody reads.
  package static let longestList = 50

  package init(
    phase: String, reason: String? = nil, ready: Int, of all: Int, missing: some Sequence<Worker>
  ) {
    self.phase = phase
    self.reason = reason
    self.ready_workers = ready
    self.all_workers = all
    self.missing = Array(missing.prefix(Unreadiness.longestList))
  }
}
