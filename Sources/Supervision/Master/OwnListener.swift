internal import ProcCtl

/// Where a worker itself listens.
enum OwnListener {
  enum Finding: Equatable {
    /// The worker's own socket answers on this loopback address.
    case own(InternetAddress)
    case stranger(PortHolder)
    case nobody
  }

  /// Who would answer on the port, on either loopback address.
  static func find(port: UInt16, members: Set<ProcessIdentifier>) -> Finding {
    var finding = Finding.nobody
    for address in [InternetAddress.loopbackV4, .loopbackV6] {
      let ownership =
        (try? ListenerOwnership.check(address: address, port: port, members: members)) ?? .none
      switch ownership {
      // Unknown: another user's process, and we may not look into it; its answer must do.
      case .owned, .unknown: return .own(address)
      case .foreign(let holder): finding = .stranger(holder)
      case .none: break
      }
    }
    return finding
  }

  /// The loopback address on which the worker's own socket answers; nil while
  /// nobody listens, or somebody who is not one of its processes.
  static func address(port: UInt16, members: Set<ProcessIdentifier>) -> InternetAddress? {
    if case .own(let address) = self.find(port: port, members: members) { address } else { nil }
  }

  /// All the addresses on which the worker listens, whatever the port; none if that cannot be found out.
  static func addresses(of members: Set<ProcessIdentifier>) -> [SocketAddress] {
    guard let entries = try? SocketTable.read(ports: [], states: .listen),
      let found = try? SocketOwners.find(Set(entries.map(\.inode)), among: members)
    else { return [] }
    let own = entries.filter { found.owners[$0.inode] != nil }
    return own.sorted { $0.localPort < $1.localPort }.map { .tcp($0.localAddress, port: $0.localPort) }
  }
}
