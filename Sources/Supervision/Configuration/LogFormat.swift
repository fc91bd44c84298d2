/// How the master writes its log. Cases may be added.
public enum LogFormat: String, Sendable, Hashable, CaseIterable {
  /// Lines for people.
  case text
  /// One JSON object per line.
  case json
  /// journald's own protocol, with fields.
  case journal
}
