/// The verdict on a port.
package enum PortState: Hashable, Sendable, CustomStringConvertible {
  /// Nothing is in the way of a server that wants it.
  case free
  /// Somebody has it; who, as far as is known. Never empty.
  case held([PortHolder])
  /// No process has it, but connections that have ended still occupy it: in
  /// TIME_WAIT for 60 s, or on their way there (tcp(7)). Nobody can be asked to
  /// let go of it, only waited for.
  ///
  /// `blocksReuse` is false if a server that sets SO_REUSEADDR can bind now;
  /// one that does not set it has to wait. It is true if even SO_REUSEADDR does
  /// not help, because the server that had these connections did not set it:
  /// the kernel wants it on both.
  case timeWait(count: Int, blocksReuse: Bool)

  /// Whether a server that sets SO_REUSEADDR, as servers should, can start now.
  package var isFreeForReuse: Bool {
    switch self {
    case .free: return true
    case .held: return false
    case .timeWait(_, let blocksReuse): return !blocksReuse
    }
  }

  package var description: String {
    switch self {
    case .free: return "free"
    case .held(let holders): return "held by " + holders.map(\.description).joined(separator: "; ")
    case .timeWait(let count, let blocksReuse):
      let connections = count == 1 ? "1 ended connection" : "\(count) ended connections"
      return blocksReuse
        ? "\(connections) in TIME_WAIT, owned by no process; the port cannot be bound until they expire (60 s)"
        : "\(connections) in TIME_WAIT, owned by no process; a server that sets SO_REUSEADDR can bind"
    }
  }
}

/// What is known about one port: the table, the holders, and what binding said.
package struct PortFacts: Hashable, Sendable {
  package var port: UInt16
  /// The table's entries with this local port.
  package var entries: [SocketEntry]
  /// Who holds them.
  package var owners: SocketOwners
  /// What a bind to each address of interest said.
  package var binds: [BindAddress: BindProbe.Result]

  package init(
    port: UInt16, entries: [SocketEntry], owners: SocketOwners,
    binds: [BindAddress: BindProbe.Result]
  ) {
    self.port = port
    self.entries = entries
    self.owners = owners
    self.binds = binds
  }

  var isInUse: Bool { self.binds.values.contains(.inUse) }

  /// A bind failed and the table shows no reason: one of the two was too early or too late.
  var contradictory: Bool { self.isInUse && self.relevantEntries.isEmpty }

  /// The entries that bear on the addresses asked about.
  var relevantEntries: [SocketEntry] {
    self.entries.filter { entry in
      entry.localPort == self.port && self.binds.keys.contains { $0.meets(entry) }
    }
  }

  /// Decides. No I/O: the same facts give the same verdict.
  ///
  /// - A socket that listens or is bound holds the port, even if a bind beside
  ///   it works, as it does beside a socket that is bound with SO_REUSEADDR.
  /// - If a bind fails, whoever has a socket on the port holds it, whatever its state.
  /// - If a bind works, an established connection without a listener does not
  ///   hold the port: it may be a client's, which the kernel gave this port.
  ///   The table's `established` entries count those.
  /// - If a bind fails and there is no process, it is TIME_WAIT without SO_REUSEADDR.
  /// - If a bind fails and there is nothing at all, somebody holds it whom the
  ///   kernel does not show: a socket that is bound only, before Linux 6.8.
  package var verdict: PortState {
    let relevant = self.relevantEntries
    let holding = relevant.filter { entry in
      switch entry.state {
      case .listen, .bound: return true
      // In the way only if the bind says so, and held only if it has an inode:
      // without, it waits in a listener's queue or has been closed.
      default: return self.isInUse && entry.inode != 0
      }
    }
    if !holding.isEmpty { return .held(self.holders(of: holding)) }
    let ended = relevant.filter { $0.inode == 0 && $0.state.isEnding }
    if !ended.isEmpty { return .timeWait(count: ended.count, blocksReuse: self.isInUse) }
    if self.isInUse {
      let address =
        self.binds.filter { $0.value == .inUse }.keys.map(\.address).min { $0.description < $1.description }
      return .held([PortHolder(state: .bound, address: .tcp(address ?? .anyV4, port: self.port))])
    }
    return .free
  }

  private func holders(of entries: [SocketEntry]) -> [PortHolder] {
    var holders: [PortHolder] = []
    // Listeners first: they are what the user looks for.
    let ordered = entries.sorted { left, right in
      (left.state == .listen ? 0 : 1, left.localAddress.description, left.inode)
        < (right.state == .listen ? 0 : 1, right.localAddress.description, right.inode)
    }
    for entry in ordered {
      let pids = self.owners.owners[entry.inode, default: []].map(Optional.some)
      for pid in pids.isEmpty ? [nil] : pids {
        let holder = PortHolder(
          pid: pid, uid: entry.uid, state: entry.state,
          address: .tcp(entry.localAddress, port: self.port))
        // One process with a hundred connections is one holder.
        let isKnown = holders.contains {
          $0.pid == pid && $0.state == entry.state && $0.address == holder.address && pid != nil
        }
        if !isKnown, !holders.contains(holder) { holders.append(holder) }
      }
    }
    return holders
  }
}
