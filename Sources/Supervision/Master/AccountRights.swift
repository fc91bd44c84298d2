internal import Glibc
package import ProcCtl

/// Whether somebody may run things as others. A value: who it is and what it holds go in.
package struct AccountRights: Sendable, Equatable {
  package var user: UInt32
  package var held: CapabilitySet

  package init(user: UInt32, held: CapabilitySet) {
    self.user = user
    self.held = held
  }

  /// Those of this process.
  ///
  /// - Throws: `ProcessError` with code `.inspect`.
  package static func own() throws(ProcessError) -> AccountRights {
    AccountRights(user: geteuid(), held: try HeldCapabilities.current().effective)
  }

  /// Why a program cannot be started with these credentials; nil if it can.
  package func obstacle(toStartAs credentials: ChildSetup.Credentials) -> String? {
    // Setting groups takes it even if they are those one has (setgroups(2)).
    let needed = credentials.user == self.user ? CapabilitySet.setGroups : .setGroups.union(.setUsers)
    let missing = needed.subtracting(self.held)
    guard !missing.isEmpty else { return nil }
    return "user \(self.user), who runs this, cannot start it as user \(credentials.user), group "
      + "\(credentials.group), without \(missing)"
  }
}
