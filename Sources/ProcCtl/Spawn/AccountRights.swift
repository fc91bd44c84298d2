internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Whether somebody may become another user, or start programs as one. A value: who it is and what it
/// holds go in.
package struct AccountRights: Sendable, Equatable {
  /// Its effective user.
  package var user: UInt32
  /// Its real and its saved user, where they are others (credentials(7)).
  package var otherUsers: Set<UInt32>
  package var held: CapabilitySet

  package init(user: UInt32, otherUsers: Set<UInt32> = [], held: CapabilitySet) {
    self.user = user
    self.otherUsers = otherUsers
    self.held = held
  }

  /// Those of this process.
  ///
  /// - Throws: `ProcessError` with code `.inspect`.
  package static func own() throws(ProcessError) -> AccountRights {
    var (real, effective, saved) = (uid_t(0), uid_t(0), uid_t(0))
    guard getresuid(&real, &effective, &saved) == 0 else {
      throw ProcessError(.inspect, doing: "read who we are", underlyingError: Errno(rawValue: errno))
    }
    return AccountRights(
      user: effective, otherUsers: [real, saved], held: try HeldCapabilities.current().effective)
  }

  /// What it lacks to become this user, or start a program as it, with its groups.
  package func missing(toBecome credentials: ChildSetup.Credentials) -> CapabilitySet {
    // Whoever one is already, in one way or another, one may become without rights (setresuid(2)).
    // Setting groups takes them even if they are those one has (setgroups(2)).
    let isOwn = credentials.user == self.user || self.otherUsers.contains(credentials.user)
    return (isOwn ? CapabilitySet.setGroups : .setGroups.union(.setUsers)).subtracting(self.held)
  }
}
