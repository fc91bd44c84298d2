/// How far the end of a process reaches. Cases may be added.
public enum StopScope: String, Sendable, CaseIterable {
  /// Its process group.
  case group
  /// Its session.
  case session
  /// It and everything below it, with the sessions and process groups those lead.
  case tree
}
