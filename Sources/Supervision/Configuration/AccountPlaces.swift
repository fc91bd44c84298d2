/// Where a configuration says as whom something runs, for what is said about it: `procctl.toml:4`.
package struct AccountPlaces: Sendable, Equatable {
  /// `[master] user`; nil if it is not set.
  package var master: String?
  /// By worker; absent for those that set neither a user nor a group.
  package var workers: [String: String] = [:]

  package init() {}
}
