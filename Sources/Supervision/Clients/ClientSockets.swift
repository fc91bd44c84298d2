internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// The clients on workers' ports, by the kernel's socket table.
final class ClientSockets {
  /// Connections that were found to be the workers' a moment ago: their owners need not be looked for again.
  private var known: Set<SocketEntry> = []

  /// How many clients each port has, by one reading of the table for all; a port without any may be absent.
  ///
  /// - Parameter ours: The other ends that are the master's own.
  /// - Throws: `ProcessError` with code `.sockets` or `.inspect`.
  func clients(on ports: [ClientPort], ours: [SocketAddress]) throws(ProcessError) -> [UInt16: Int] {
    guard !ports.isEmpty else { return [:] }
    let entries = try SocketTable.read(ports: Set(ports.map(\.port)), states: .established)
    self.known.formIntersection(entries)
    guard !entries.isEmpty else { return [:] }
    let byPort = Dictionary(grouping: entries, by: \.localPort)
    var counts: [UInt16: Int] = [:]
    for port in ports {
      guard let established = byPort[port.port] else { continue }
      let new = established.filter { !self.known.contains($0) }
      let old = established.count - new.count
      let found = new.isEmpty ? nil : try self.connections(port, established: new, ours: ours)
      self.known.formUnion(found?.own ?? [])
      counts[port.port] = old + (found?.count ?? 0)
    }
    return counts
  }

  /// Ends the clients' connections, as far as they are known to be the worker's.
  func disconnect(_ port: ClientPort, ours: [SocketAddress]) throws(ProcessError) -> Disconnection {
    let established = try SocketTable.read(ports: [port.port], states: .established)
    let found = try self.connections(port, established: established, ours: ours)
    var ended = 0
    var left = found.unknown.count
    var obstacle = left > 0 ? "nobody can say whose they are" : nil
    guard !found.own.isEmpty else { return Disconnection(ended: 0, left: left, obstacle: obstacle) }
    do throws(Errno) {
      var destroyer = try SocketDestroyer()
      for entry in found.own {
        do throws(Errno) {
          if try destroyer.destroy(entry) { ended += 1 }
        } catch {
          left += 1
          obstacle = Self.explanation(of: error)
        }
      }
    } catch {
      left += found.own.count
      obstacle = Self.explanation(of: error)
    }
    return Disconnection(ended: ended, left: left, obstacle: obstacle)
  }

  private static func explanation(of error: Errno) -> String {
    switch error.rawValue {
    case EPERM: "it takes CAP_NET_ADMIN"
    case EOPNOTSUPP: "it takes a kernel with CONFIG_INET_DIAG_DESTROY"
    // Where the table comes from /proc, sockets have no names of their own.
    case EINVAL: "the kernel does not say which sockets they are"
    default: "\(error)"
    }
  }

  private func connections(
    _ port: ClientPort, established: [SocketEntry], ours: [SocketAddress]
  ) throws(ProcessError) -> ClientConnections {
    var entries = established
    if established.contains(where: { $0.inode == 0 }) {
      entries += try SocketTable.read(ports: [port.port], states: .listen)
    }
    let members = port.members()
    let inodes = Set(entries.map(\.inode).filter { $0 != 0 })
    let owners = try SocketOwners.find(inodes, among: members ?? [])
    return ClientConnections(
      port: port.port, entries: entries, owners: owners, members: members, ours: ours)
  }
}
