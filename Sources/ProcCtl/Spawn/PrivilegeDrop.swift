internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Gives up the rights of this process but for a few capabilities, for good.
package enum PrivilegeDrop {
  /// Becomes this user, with its groups, and keeps exactly these capabilities, permitted and
  /// effective: nothing is inheritable or ambient, so the programs we start get none of them.
  ///
  /// The bounding set and no_new_privs stay as they are: set-user-ID programs work as before. The
  /// process stays dumpable, because its files in /proc would be root's otherwise (proc(5)); others
  /// of the same user cannot trace it as long as it has a capability that they do not (ptrace(2)).
  ///
  /// - Important: Credentials belong to threads. Call it while there is one.
  /// - Throws: `ProcessError` with code `.invalidArgument` if the kernel refuses, or if afterwards
  ///   it does not say what was asked of it.
  package static func become(
    _ credentials: ChildSetup.Credentials, keeping kept: CapabilitySet
  ) throws(ProcessError) {
    let held = try HeldCapabilities.current()
    let missing = kept.subtracting(held.permitted)
    guard missing.isEmpty else {
      throw self.failure("keep capabilities that we do not have (\(missing))", .notPermitted)
    }
    var deathSignal: Int32 = 0
    _ = cprocctl_get_parent_death_signal(&deathSignal)

    // Without it a change from root empties the permitted set.
    guard cprocctl_set_keep_capabilities(1) == 0 else { throw self.failure("keep capabilities") }
    let already = self.isAlready(credentials)
    if !already || held.effective.contains(.setGroups) {
      guard setgroups(credentials.supplementaryGroups.count, credentials.supplementaryGroups) == 0 else {
        throw self.failure("set the supplementary groups")
      }
    }
    if !already {
      let group = credentials.group
      guard setresgid(group, group, group) == 0 else { throw self.failure("become group \(group)") }
      let user = credentials.user
      guard setresuid(user, user, user) == 0 else { throw self.failure("become user \(user)") }
    }
    _ = cprocctl_set_keep_capabilities(0)
    // EINVAL: a kernel without ambient capabilities has none to clear.
    guard cprocctl_clear_ambient_capabilities() == 0 || errno == EINVAL else {
      throw self.failure("clear the ambient capabilities")
    }
    try self.set(kept)

    // Both are lost with a change of user (prctl(2)).
    guard cprocctl_set_dumpable(1) == 0 else { throw self.failure("stay readable in /proc") }
    if deathSignal != 0 { _ = cprocctl_set_parent_death_signal(deathSignal) }
    try self.verify(credentials, kept)
  }

  /// What this process lacks to become this user, with its groups: nothing if it is that one through
  /// and through, because then nothing has to be set.
  ///
  /// - Throws: `ProcessError` with code `.inspect`.
  package static func missing(
    toBecome credentials: ChildSetup.Credentials
  ) throws(ProcessError) -> CapabilitySet {
    self.isAlready(credentials) ? .none : try AccountRights.own().missing(toBecome: credentials)
  }

  /// Keeps the capabilities we have from the programs we start, but for these: nothing else stays
  /// inheritable or ambient.
  ///
  /// - Important: Credentials belong to threads. Call it while there is one.
  /// - Throws: `ProcessError` with code `.invalidArgument` if the kernel refuses.
  package static func keepToOurselves(but handed: CapabilitySet) throws(ProcessError) {
    guard cprocctl_clear_ambient_capabilities() == 0 || errno == EINVAL else {
      throw self.failure("clear the ambient capabilities")
    }
    try self.set(try HeldCapabilities.current().permitted, inheritable: handed)
    for number in self.numbers(of: handed) {
      guard cap_set_ambient(number, CAP_SET) == 0 else { throw self.failure("raise ambient capabilities") }
    }
  }

  private static func isAlready(_ credentials: ChildSetup.Credentials) -> Bool {
    var user = (uid_t(0), uid_t(0), uid_t(0))
    var group = (gid_t(0), gid_t(0), gid_t(0))
    return getresuid(&user.0, &user.1, &user.2) == 0 && getresgid(&group.0, &group.1, &group.2) == 0
      && user == (credentials.user, credentials.user, credentials.user)
      && group == (credentials.group, credentials.group, credentials.group)
  }

  private static func set(
    _ kept: CapabilitySet, inheritable: CapabilitySet = .none
  ) throws(ProcessError) {
    guard let state = cap_init() else { throw self.failure("set capabilities") }
    defer { cap_free(UnsafeMutableRawPointer(state)) }
    for (flag, set) in [(CAP_PERMITTED, kept), (CAP_EFFECTIVE, kept), (CAP_INHERITABLE, inheritable)] {
      let numbers = self.numbers(of: set)
      // For libcap none is an invalid number of them.
      if numbers.isEmpty { continue }
      guard cap_set_flag(state, flag, Int32(numbers.count), numbers, CAP_SET) == 0 else {
        throw self.failure("set capabilities")
      }
    }
    guard cap_set_proc(state) == 0 else { throw self.failure("set capabilities") }
  }

  private static func numbers(of set: CapabilitySet) -> [cap_value_t] {
    (0..<cap_value_t(UInt64.bitWidth)).filter { set.bits & (1 << UInt64($0)) != 0 }
  }

  private static func verify(
    _ credentials: ChildSetup.Credentials, _ kept: CapabilitySet
  ) throws(ProcessError) {
    let held = try HeldCapabilities.current()
    guard self.isAlready(credentials), held.permitted == kept, held.effective == kept,
      held.inheritable.isEmpty, held.ambient.isEmpty
    else { throw ProcessError(.invalidArgument, doing: "drop rights: the kernel did not do as it was told") }
  }

  private static func failure(_ what: String, _ error: Errno? = nil) -> ProcessError {
    ProcessError(.invalidArgument, doing: what, underlyingError: error ?? Errno(rawValue: errno))
  }
}
