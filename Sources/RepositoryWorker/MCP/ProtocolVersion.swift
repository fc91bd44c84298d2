/// A revision of the Model Context Protocol this server speaks.
package struct ProtocolVersion: Hashable, Sendable, CustomStringConvertible {
  package let description: String

  private init(_ description: String) {
    self.description = description
  }

  package static let june2025 = ProtocolVersion("2025-06-18")
  package static let november2025 = ProtocolVersion("2025-11-25")

  /// Oldest first.
  package static let supported = [june2025, november2025]
  package static let latest = november2025

  /// The revision with that name; nil when it is not spoken here.
  package init?(name: String) {
    guard let known = ProtocolVersion.supported.first(where: { $0.description == name }) else { return nil }
    self = known
  }

  /// What to answer to a client that asks for this revision: the same, or the latest we have.
  package static func negotiated(requested: String) -> ProtocolVersion {
    ProtocolVersion(name: requested) ?? .latest
  }

  /// Whether arguments that do not fit a tool's schema are the tool's error, which a model gets to
  /// see and can correct, rather than the protocol's.
  package var invalidArgumentsAreToolErrors: Bool { self == .november2025 }
}
