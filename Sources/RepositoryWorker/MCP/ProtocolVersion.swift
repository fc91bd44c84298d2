/// A revision of the Model Context Protocol this server speaks.
package struct ProtocolVersion: Hashable, Sendable, CustomStringConvertible {
  package let description: String

  private init(_ description: String) {
    self.description = description
  }

  package static let june2025 = ProtocolVersion("2025-06-18")
  package static let november2025 = ProtocolVersion("2025-11-25")
  /// No sessions: every request says by itself what it needs.
  package static let july2026 = ProtocolVersion("2026-07-28")

  /// Those agreed on by `initialize`, for a session. Oldest first.
  package static let withSessions = [june2025, november2025]
  /// Those named by each request for itself. Oldest first.
  package static let perRequest = [july2026]
  /// All of them, newest first.
  package static let supported = Array((withSessions + perRequest).reversed())

  /// The revision with that name; nil when it is not spoken here.
  package init?(name: String) {
    guard let known = ProtocolVersion.supported.first(where: { $0.description == name }) else { return nil }
    self = known
  }

  /// What `initialize` answers to a client that asks for this revision: the same, or the latest with
  /// sessions we have.
  package static func negotiated(requested: String) -> ProtocolVersion {
    ProtocolVersion.withSessions.first { $0.description == requested } ?? .november2025
  }

  package var hasSessions: Bool { ProtocolVersion.withSessions.contains(self) }

  /// Whether arguments that do not fit a tool's schema are the tool's error, which a model gets to
  /// see and can correct, rather than the protocol's.
  package var invalidArgumentsAreToolErrors: Bool { self != .june2025 }
}
