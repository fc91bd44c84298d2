internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// The kernel's table of TCP sockets, of IPv4 and of IPv6, in this network namespace.
package enum SocketTable {
  /// Where the entries came from.
  package enum Source: Hashable, Sendable {
    /// sock_diag(7), filtered by the kernel.
    case netlink
    /// /proc/net/tcp and tcp6 (proc(5)), where netlink is refused: slower, not
    /// read in one piece, and without sockets that are bound and no more.
    case proc
  }

  /// Reads the table: by netlink, or from /proc where the kernel or a sandbox
  /// refuses netlink. Does not block for more than the kernel takes to answer;
  /// may be called from any thread.
  ///
  /// - Parameters:
  ///   - ports: Local ports; empty for all.
  ///   - states: The states to return.
  /// - Returns: The sockets, in no particular order; connections between two
  ///   sockets of this machine have an entry for each end.
  /// - Throws: `ProcessError` with code `.sockets`.
  package static func read(
    ports: Set<UInt16> = [], states: SocketStates = .all
  ) throws(ProcessError) -> [SocketEntry] {
    do {
      var dump = try SocketDump()
      return try Self.readNetlink(&dump, ports: ports, states: states)
    } catch let error as ProcessError {
      // Short of memory for netlink, /proc may still answer; if not, the first failure says more.
      if let entries = try? Self.read(from: .proc, ports: ports, states: states) { return entries }
      throw error
    } catch let error as Errno where SocketDump.isUnavailable(error) {
      return try Self.read(from: .proc, ports: ports, states: states)
    } catch {
      throw ProcessError(
        .sockets, doing: "open a netlink socket", underlyingError: error as? Errno)
    }
  }

  /// Reads the table from one source only.
  package static func read(
    from source: Source, ports: Set<UInt16> = [], states: SocketStates = .all
  ) throws(ProcessError) -> [SocketEntry] {
    switch source {
    case .netlink:
      do {
        var dump = try SocketDump()
        return try Self.readNetlink(&dump, ports: ports, states: states)
      } catch let error as ProcessError {
        throw error
      } catch {
        throw ProcessError(.sockets, doing: "netlink sock_diag", underlyingError: error as? Errno)
      }
    case .proc:
      // Without IPv6 in the kernel there is no tcp6; without /proc there is neither.
      let v4 = try Self.readProc("/proc/net/tcp", .v4, ports: ports, states: states)
      let v6 = try Self.readProc("/proc/net/tcp6", .v6, ports: ports, states: states)
      guard let v4 else {
        throw ProcessError(.sockets, doing: "open /proc/net/tcp", underlyingError: .noSuchFileOrDirectory)
      }
      return v4 + (v6 ?? [])
    }
  }

  /// - Throws: `Errno` if netlink is refused, `ProcessError` otherwise.
  private static func readNetlink(
    _ dump: inout SocketDump, ports: Set<UInt16>, states: SocketStates
  ) throws -> [SocketEntry] {
    var all: [SocketEntry] = []
    for family in [InternetAddress.Family.v4, .v6] {
      switch try dump.read(family, ports: ports, states: states) {
      case .entries(let entries): all += entries
      case .unavailable(let error): throw error
      }
    }
    return all
  }

  private static func readProc(
    _ path: String, _ family: InternetAddress.Family, ports: Set<UInt16>, states: SocketStates
  ) throws(ProcessError) -> [SocketEntry]? {
    do {
      guard let bytes = try ProcFile.read(path) else { return nil }
      return ProcNetTable.entries(bytes, family: family).filter {
        states.contains(state: $0.state) && (ports.isEmpty || ports.contains($0.localPort))
      }
    } catch {
      throw ProcessError(.sockets, doing: "read \(path)", underlyingError: error)
    }
  }
}
