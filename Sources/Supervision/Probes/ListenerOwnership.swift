package import ProcCtl

/// Whether the socket that answers on a port belongs to a worker.
///
/// A probe counts only if it does: else the orphan of an earlier generation, or
/// a stranger, answers for a worker that never came up.
package enum ListenerOwnership: Hashable, Sendable {
  /// Every listener is held by the worker's processes, and by nobody who is
  /// neither a member nor trusted.
  case owned
  /// Somebody else listens, or shares a listener of the worker's and so may answer in its place.
  case foreign(PortHolder)
  /// Nobody listens.
  case none
  /// Somebody listens whom we may not look into.
  case unknown

  /// Decides. No I/O.
  ///
  /// - Parameters:
  ///   - listeners: The table's entries; those that do not listen are ignored.
  ///   - owners: Who holds each socket, by inode, as far as is known.
  ///   - members: The worker's processes. Read them after the owners: a process
  ///     that the worker has forked meanwhile is then a member and not a stranger.
  ///   - trusted: Processes that may hold the worker's listener without answering on
  ///     it: the master that handed it down, and whoever handed it to the master.
  package static func verdict(
    listeners: [SocketEntry], owners: [UInt32: [ProcessIdentifier]],
    members: Set<ProcessIdentifier>, trusted: Set<ProcessIdentifier> = []
  ) -> ListenerOwnership {
    var verdict = ListenerOwnership.none
    for listener in listeners where listener.state == .listen {
      let holders = owners[listener.inode, default: []]
      let strangers = holders.filter { !members.contains($0) && !trusted.contains($0) }
      if let stranger = strangers.first { return .foreign(Self.holder(listener, stranger)) }
      if holders.contains(where: members.contains) {
        if verdict == .none { verdict = .owned }
      } else if let keeper = holders.first {
        // Only the trusted hold it: it is open, but nobody of the worker serves it.
        return .foreign(Self.holder(listener, keeper))
      } else {
        verdict = .unknown
      }
    }
    return verdict
  }

  /// The listeners that would get a connection to this address: those bound to
  /// it exactly, else to the wildcard of its family, else, for IPv4, to a
  /// wildcard of IPv6 that takes IPv4 too. The kernel chooses in that order.
  package static func listeners(
    among entries: [SocketEntry], answering address: InternetAddress, port: UInt16
  ) -> [SocketEntry] {
    let address = address.unmapped
    let listening = entries.filter { $0.state == .listen && $0.localPort == port }
    let exact = listening.filter { $0.localAddress.unmapped == address }
    if !exact.isEmpty { return exact }
    let sameFamily = listening.filter {
      $0.localAddress.isWildcard && $0.localAddress.family == address.family
    }
    if !sameFamily.isEmpty || address.family == .v6 { return sameFamily }
    return listening.filter {
      $0.localAddress.isWildcard && $0.family == .v6 && $0.acceptsOnlyV6 != true
    }
  }

  /// Finds out, from the kernel's socket table and /proc. The worker's members
  /// and the trusted are looked into first; only if they do not account for a
  /// listener is all of /proc walked, to name who does.
  ///
  /// - Throws: `ProcessError` with code `.sockets` or `.inspect`.
  package static func check(
    address: InternetAddress, port: UInt16, members: Set<ProcessIdentifier>,
    trusted: Set<ProcessIdentifier> = []
  ) throws(ProcessError) -> ListenerOwnership {
    let entries = try SocketTable.read(ports: [port], states: .listen)
    let listeners = Self.listeners(among: entries, answering: address, port: port)
    let inodes = Set(listeners.map(\.inode))
    let near = try SocketOwners.find(inodes, among: members.union(trusted))
    let verdict = Self.verdict(
      listeners: listeners, owners: near.owners, members: members, trusted: trusted)
    switch verdict {
    case .owned, .none: return verdict
    case .foreign, .unknown: break
    }
    let far = try SocketOwners.findEverywhere(inodes)
    switch Self.verdict(listeners: listeners, owners: far.owners, members: members, trusted: trusted) {
    case .foreign(let holder): return .foreign(holder.described())
    case let other: return other
    }
  }

  private static func holder(_ listener: SocketEntry, _ process: ProcessIdentifier) -> PortHolder {
    PortHolder(
      pid: process, uid: listener.uid, state: .listen,
      address: .tcp(listener.localAddress, port: listener.localPort))
  }
}
