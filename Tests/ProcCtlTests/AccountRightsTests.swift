import ProcCtl
import Testing

@Suite struct AccountRightsTests {
  private let daemon = ChildSetup.Credentials(user: 1, group: 1, supplementaryGroups: [1])

  @Test func aStranger() {
    var rights = AccountRights(user: 1000, held: .none)
    #expect(rights.missing(toBecome: self.daemon) == .setUsers.union(.setGroups))
    rights.held = .setUsers
    #expect(rights.missing(toBecome: self.daemon) == .setGroups)
    rights.held = .setUsers.union(.setGroups).union(.kill)
    #expect(rights.missing(toBecome: self.daemon).isEmpty)
  }

  @Test("whoever one is already, one may become; but to set the groups takes rights all the same")
  func oneself() {
    for rights in [
      AccountRights(user: 1, held: .none), AccountRights(user: 1000, otherUsers: [1, 1000], held: .none),
    ] {
      #expect(rights.missing(toBecome: self.daemon) == .setGroups)
    }
    #expect(AccountRights(user: 1, held: .setGroups).missing(toBecome: self.daemon).isEmpty)
  }

  @Test("being root gives no right: its capabilities do")
  func root() {
    #expect(AccountRights(user: 0, held: .none).missing(toBecome: self.daemon) == .setUsers.union(.setGroups))
  }
}
