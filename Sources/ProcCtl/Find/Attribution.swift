/// The variable of the environment that carries a worker's cookie.
package let attributionCookieName = "PROCCTL_COOKIE"

/// The cookie among the variables, each ended by a zero byte, of /proc/PID/environ (proc(5)).
package func attributionCookie(inEnvironment environment: [UInt8]) -> ByteString? {
  let name = Array("\(attributionCookieName)=".utf8)
  let entry = environment.split(separator: 0).first { $0.starts(with: name) }
  return entry.map { ByteString(bytes: $0.dropFirst(name.count)) }
}

/// Whose is an orphan? Says which owner each descendant belongs to.
///
/// In this order: being the owner's leader, having an attributed parent, the
/// leader's session or process group, what an earlier look found, and the
/// cookie in the environment the process started with. A process that did
/// everything to hide from all of them is nobody's; a subreaper still has it
/// among its descendants.
package struct Attribution<Owner: Hashable> {
  package struct Result {
    package var members: [Owner: [ProcessStatus]] = [:]
    package var unattributed: [ProcessStatus] = []

    package init() {}
  }

  private var leaders: [ProcessIdentifier: Owner] = [:]
  private var cookies: [ByteString: Owner] = [:]
  private var remembered: [ProcessIdentity: Owner?] = [:]
  /// Last seen below each owner's leader, and the same the other way round.
  private var seenBelow: [Owner: [ProcessIdentity]] = [:]
  private var ownersSeenAbove: [ProcessIdentity: Owner] = [:]

  package init() {}

  package mutating func add(leader: ProcessIdentifier, owner: Owner) {
    self.leaders[leader] = owner
  }

  package mutating func remove(leader: ProcessIdentifier) {
    if let owner = self.leaders.removeValue(forKey: leader) { self.remember([], owner: owner) }
  }

  /// Notes who is below the owner's leader now, for when the leader has ended
  /// and they are orphans without a mark.
  package mutating func remember(_ members: [ProcessStatus], owner: Owner) {
    for identity in self.seenBelow.removeValue(forKey: owner) ?? [] {
      self.ownersSeenAbove[identity] = nil
    }
    // The leader itself is known by its number.
    guard members.contains(where: { self.leaders[$0.processIdentifier] == nil }) else { return }
    let identities = members.map(\.identity)
    self.seenBelow[owner] = identities
    for identity in identities { self.ownersSeenAbove[identity] = owner }
  }

  /// - Parameter cookie: The value of ``attributionCookieName`` the owner's processes start with.
  package mutating func add(cookie: ByteString, owner: Owner) {
    self.cookies[cookie] = owner
  }

  /// Sorts the descendants, parents before children, by owner.
  package mutating func attribute(
    _ descendants: [ProcessStatus], kernel: any Kernel
  ) throws(ProcessError) -> Result {
    var result = Result()
    var owners: [ProcessIdentifier: Owner] = [:]
    var seen: [ProcessIdentity: Owner?] = [:]
    for status in descendants {
      let owner = try self.owner(of: status, knowing: owners, kernel: kernel)
      seen.updateValue(owner, forKey: status.identity)
      if let owner {
        owners[status.processIdentifier] = owner
        result.members[owner, default: []].append(status)
      } else {
        result.unattributed.append(status)
      }
    }
    self.remembered = seen
    return result
  }

  private func owner(
    of status: ProcessStatus, knowing owners: [ProcessIdentifier: Owner], kernel: any Kernel
  ) throws(ProcessError) -> Owner? {
    if let owner = self.leaders[status.processIdentifier] { return owner }
    if let owner = owners[status.parent] { return owner }
    if let owner = self.leaders[status.session] ?? self.leaders[status.processGroup] { return owner }
    // Found before, whether as somebody's or as nobody's: an environment never changes.
    if let owner = self.ownersSeenAbove[status.identity] { return owner }
    if let known = self.remembered[status.identity] { return known }
    return try kernel.cookie(of: status.processIdentifier).flatMap { self.cookies[$0] }
  }
}
