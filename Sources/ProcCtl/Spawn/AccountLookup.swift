internal import CProcCtl
internal import Glibc
internal import SystemPackage

extension ChildSetup.Credentials {
  /// Looks up a user and group by name or number, with the user's supplementary
  /// groups (getpwnam(3), getgrnam(3), getgrouplist(3)).
  ///
  /// - Parameters:
  ///   - user: A name, or a number that need not be in the user database.
  ///   - group: A name or number; nil for the user's own group.
  /// - Throws: `ProcessError` with code `.invalidArgument` naming what is unknown.
  public init(user: String, group: String?) throws(ProcessError) {
    let account = AccountLookup.user(user)
    guard let identifier = account?.identifier ?? UInt32(user) else {
      throw ProcessError(.invalidArgument, doing: "unknown user \"\(user)\"")
    }
    var primary = account?.group
    if let group {
      guard let number = AccountLookup.group(group) ?? UInt32(group) else {
        throw ProcessError(.invalidArgument, doing: "unknown group \"\(group)\"")
      }
      primary = number
    }
    guard let primary else {
      throw ProcessError(
        .invalidArgument, doing: "user \(user) is in no user database: say which group as well")
    }
    let groups = account.map { AccountLookup.groups(of: $0.name, primary: primary) } ?? [primary]
    self.init(user: identifier, group: primary, supplementaryGroups: groups)
  }
}

enum AccountLookup {
  struct User {
    var name: String
    var identifier: UInt32
    var group: UInt32
  }

  static func user(_ text: String) -> User? {
    var record = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16 << 10)
    if let number = UInt32(text) {
      getpwuid_r(number, &record, &buffer, buffer.count, &found)
    } else {
      getpwnam_r(text, &record, &buffer, buffer.count, &found)
    }
    guard found != nil, let name = record.pw_name else { return nil }
    return User(name: String(cString: name), identifier: record.pw_uid, group: record.pw_gid)
  }

  static func group(_ text: String) -> UInt32? {
    guard UInt32(text) == nil else { return nil }
    var record = Glibc.group()
    var found: UnsafeMutablePointer<Glibc.group>?
    var buffer = [CChar](repeating: 0, count: 64 << 10)
    getgrnam_r(text, &record, &buffer, buffer.count, &found)
    return found == nil ? nil : record.gr_gid
  }

  static func groups(of name: String, primary: UInt32) -> [UInt32] {
    var count: Int32 = 64
    while count <= 65_536 {
      var groups = [gid_t](repeating: 0, count: Int(count))
      let capacity = count
      if getgrouplist(name, primary, &groups, &count) >= 0 { return Array(groups.prefix(Int(count))) }
      count = max(count, capacity * 2)
    }
    return [primary]
  }
}
