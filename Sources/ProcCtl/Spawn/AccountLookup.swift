internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Turns names of users and groups into ids, by the system's databases (getpwnam(3), getgrnam(3)).
package enum AccountLookup {
  private struct User {
    var identifier: UInt32
    /// nil where the database does not know the number.
    var name: String?
    var group: UInt32?
  }

  /// The ids of a user and a group, each by name or by number.
  ///
  /// Without a group it is the user's own. Without a user it is ours. The supplementary groups
  /// are those the database lists for the user; none if it does not know the user.
  package static func credentials(
    user: String?, group: String?
  ) throws(ProcessError) -> ChildSetup.Credentials? {
    if user == nil, group == nil { return nil }
    let account: User
    if let user {
      account = try self.user(user)
    } else {
      account = try self.user(number: geteuid())
    }
    let groupIdentifier: UInt32
    if let group {
      groupIdentifier = try self.group(group)
    } else if let own = account.group {
      groupIdentifier = own
    } else {
      throw ProcessError(
        .invalidArgument, doing: "user \(account.identifier) is not in the user database: set a group too")
    }
    var supplementary: [UInt32] = []
    if let name = account.name { supplementary = self.groups(of: name, with: groupIdentifier) }
    return ChildSetup.Credentials(
      user: account.identifier, group: groupIdentifier, supplementaryGroups: supplementary)
  }

  /// The number, if the text is nothing but one and not the -1 that means "unchanged" to setresuid(2).
  private static func number(_ text: String) -> UInt32? {
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = UInt32(text), number != .max
    else { return nil }
    return number
  }

  private static func user(_ text: String) throws(ProcessError) -> User {
    let found = try self.lookUp("getpwnam \"\(text)\"") {
      (entry: UnsafeMutablePointer<passwd>, buffer, size, result) in
      getpwnam_r(text, entry, buffer, size, result)
    } reading: { entry in
      User(identifier: entry.pw_uid, name: text, group: entry.pw_gid)
    }
    if let found { return found }
    if let number = self.number(text) { return try self.user(number: number) }
    throw ProcessError(.invalidArgument, doing: "there is no user \"\(text)\"")
  }

  private static func user(number: UInt32) throws(ProcessError) -> User {
    let found = try self.lookUp("getpwuid \(number)") {
      (entry: UnsafeMutablePointer<passwd>, buffer, size, result) in
      getpwuid_r(number, entry, buffer, size, result)
    } reading: { entry in
      User(identifier: number, name: entry.pw_name.map { String(cString: $0) }, group: entry.pw_gid)
    }
    return found ?? User(identifier: number, name: nil, group: nil)
  }

  private static func group(_ text: String) throws(ProcessError) -> UInt32 {
    let found = try self.lookUp("getgrnam \"\(text)\"") {
      (entry: UnsafeMutablePointer<group>, buffer, size, result) in
      getgrnam_r(text, entry, buffer, size, result)
    } reading: { entry in
      entry.gr_gid
    }
    guard let identifier = found ?? self.number(text) else {
      throw ProcessError(.invalidArgument, doing: "there is no group \"\(text)\"")
    }
    return identifier
  }

  /// Calls one of the `get…_r` functions, with a larger buffer as long as it asks for one.
  private static func lookUp<Entry: BitwiseCopyable, Value>(
    _ operation: String,
    _ call: (
      UnsafeMutablePointer<Entry>, UnsafeMutablePointer<CChar>, Int,
      UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
    ) -> Int32,
    reading read: (Entry) -> Value
  ) throws(ProcessError) -> Value? {
    var size = 4096
    while true {
      let entry = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
      let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
      defer {
        entry.deallocate()
        buffer.deallocate()
      }
      var result: UnsafeMutablePointer<Entry>?
      let code = call(entry, buffer, size, &result)
      switch code {
      case 0, ENOENT, ESRCH: return result.map { read($0.pointee) }
      case EINTR: continue
      case ERANGE where size < 1 << 24: size *= 4
      default:
        throw ProcessError(.invalidArgument, doing: operation, underlyingError: Errno(rawValue: code))
      }
    }
  }

  private static func groups(of name: String, with group: UInt32) -> [UInt32] {
    var count: Int32 = 64
    while true {
      var groups = [gid_t](repeating: 0, count: Int(count))
      let room = count
      if getgrouplist(name, group, &groups, &count) >= 0 { return Array(groups.prefix(Int(count))) }
      // It said how many there are; a database that claims no more than it had room for is lying.
      guard count > room else { return [group] }
    }
  }
}

extension ChildSetup.Credentials {
  /// Looks up a user and group, each by name or number, with the user's supplementary groups.
  ///
  /// - Parameters:
  ///   - user: nil for ours.
  ///   - group: nil for the user's own.
  /// - Throws: `ProcessError` with code `.invalidArgument` naming what does not exist.
  public init(user: String?, group: String?) throws(ProcessError) {
    guard let found = try AccountLookup.credentials(user: user, group: group) else {
      throw ProcessError(.invalidArgument, doing: "neither a user nor a group is given")
    }
    self = found
  }
}
