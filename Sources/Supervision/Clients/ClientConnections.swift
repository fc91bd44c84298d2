package import ProcCtl

/// Which of the connections on a port are a worker's clients. A value: what the kernel shows goes in.
package struct ClientConnections: Sendable, Equatable {
  /// The worker's own ends of them.
  package private(set) var own: [SocketEntry] = []
  /// Nobody can say whose end it is.
  package private(set) var unknown: [SocketEntry] = []

  package var count: Int { self.own.count + self.unknown.count }

  /// Decides.
  ///
  /// - Parameters:
  ///   - entries: Of the table: what is established on the port, and who listens there.
  ///   - owners: Which of the worker's processes hold them. Whoever is in there is one of them.
  ///   - members: The worker's processes; nil if they cannot be seen.
  ///   - ours: The other ends that are the master's own: a request to stop is no client.
  package init(
    port: UInt16, entries: [SocketEntry], owners: SocketOwners, members: Set<ProcessIdentifier>?,
    ours: [SocketAddress] = []
  ) {
    let isCertain = members != nil && owners.unreadable.isEmpty
    for entry in entries where entry.localPort == port && entry.state == .established {
      if ours.contains(where: { $0.isOtherEnd(of: entry) }) { continue }
      let isOwn =
        entry.inode == 0
        ? Self.isQueued(entry, on: port, among: entries, owners: owners, members: members ?? [])
        : owners.owners[entry.inode] != nil
      if isOwn {
        self.own.append(entry)
      } else if !isCertain {
        self.unknown.append(entry)
      }
      // Else it is somebody else's socket, which has this port by chance, on another address.
    }
  }

  /// Not accepted yet, it belongs to whoever listens where it came in.
  private static func isQueued(
    _ entry: SocketEntry, on port: UInt16, among entries: [SocketEntry], owners: SocketOwners,
    members: Set<ProcessIdentifier>
  ) -> Bool {
    let listeners = ListenerOwnership.listeners(among: entries, answering: entry.localAddress, port: port)
    return ListenerOwnership.verdict(listeners: listeners, owners: owners.owners, members: members) == .owned
  }
}

extension SocketAddress {
  fileprivate func isOtherEnd(of entry: SocketEntry) -> Bool {
    guard case .tcp(let address, let port) = self else { return false }
    return entry.remotePort == port && entry.remoteAddress.unmapped == address.unmapped
  }
}
