/// Finds out whether ports are free, by the kernel's own account: its socket
/// table, and binding.
///
/// Synchronous; one reading of the table serves any number of ports, and /proc
/// is walked only if a port is held. May be called from any thread.
package struct PortCheck: Hashable, Sendable {
  /// What has to be free. Wildcards meet every address of their family, so the
  /// default is the whole machine; a server on 127.0.0.1 only can do with less.
  package var addresses: [BindAddress]
  /// The processes looked into for holders before all others: a worker's own.
  package var likelyOwners: Set<ProcessIdentifier>

  package init(
    addresses: [BindAddress] = [.anyV4, .anyV6], likelyOwners: Set<ProcessIdentifier> = []
  ) {
    self.addresses = addresses
    self.likelyOwners = likelyOwners
  }

  /// The state of one port, its holders described.
  ///
  /// - Throws: `ProcessError` with code `.sockets` or `.inspect`.
  package func state(of port: UInt16) throws(ProcessError) -> PortState {
    try self.states(of: [port])[port] ?? .free
  }

  /// The state of each port, holders described.
  ///
  /// - Throws: `ProcessError` with code `.sockets` or `.inspect`.
  package func states(of ports: Set<UInt16>) throws(ProcessError) -> [UInt16: PortState] {
    var states: [UInt16: PortState] = [:]
    for (port, facts) in try self.facts(of: ports) {
      var state = facts.verdict
      if case .held(let holders) = state { state = .held(holders.map { $0.described() }) }
      states[port] = state
    }
    return states
  }

  /// What the verdicts rest on.
  ///
  /// - Throws: `ProcessError` with code `.sockets` or `.inspect`.
  package func facts(of ports: Set<UInt16>) throws(ProcessError) -> [UInt16: PortFacts] {
    guard !ports.isEmpty else { return [:] }
    var facts = try self.bindAndRead(ports)
    // Binding and reading are two moments. Where they contradict each other, a
    // second look tells a socket that came or went from one the table lacks.
    let doubtful = Set(facts.filter { $0.value.contradictory }.keys)
    if !doubtful.isEmpty {
      for (port, second) in try self.bindAndRead(doubtful) { facts[port] = second }
    }
    let inodes = Set(facts.values.flatMap { $0.relevantEntries.map(\.inode) }.filter { $0 != 0 })
    let owners = try self.owners(of: inodes)
    for port in facts.keys { facts[port]?.owners = owners }
    return facts
  }

  private func bindAndRead(_ ports: Set<UInt16>) throws(ProcessError) -> [UInt16: PortFacts] {
    var facts: [UInt16: PortFacts] = [:]
    // Binding first: a socket of ours must not stand in the table that is read next.
    for port in ports {
      var binds: [BindAddress: BindProbe.Result] = [:]
      for address in self.addresses { binds[address] = BindProbe.bind(address, port: port) }
      facts[port] = PortFacts(port: port, entries: [], owners: SocketOwners(), binds: binds)
    }
    for entry in try SocketTable.read(ports: ports) { facts[entry.localPort]?.entries.append(entry) }
    return facts
  }

  private func owners(of inodes: Set<UInt32>) throws(ProcessError) -> SocketOwners {
    var owners = try SocketOwners.find(inodes, among: self.likelyOwners)
    // Others may have inherited a socket that a likely owner holds, but whoever
    // asks wants a name, and has one then.
    let missing = inodes.subtracting(owners.owners.keys)
    guard !missing.isEmpty else { return owners }
    let rest = try SocketOwners.findEverywhere(missing)
    owners.owners.merge(rest.owners) { first, _ in first }
    owners.unreadable = rest.unreadable
    return owners
  }
}
