internal import CProcCtl
internal import Glibc
package import SystemPackage

/// What a server would bind to.
package enum BindAddress: Hashable, Sendable, CaseIterable {
  /// 127.0.0.1.
  case loopbackV4
  /// ::1.
  case loopbackV6
  /// 0.0.0.0: every IPv4 address.
  case anyV4
  /// :: with IPV6_V6ONLY: every IPv6 address and no IPv4.
  case anyV6
  /// :: without IPV6_V6ONLY: every address of both (ipv6(7)).
  case anyDual

  package var address: InternetAddress {
    switch self {
    case .loopbackV4: return .loopbackV4
    case .loopbackV6: return .loopbackV6
    case .anyV4: return .anyV4
    case .anyV6, .anyDual: return .anyV6
    }
  }

  var acceptsOnlyV6: Bool { self != .anyDual }

  /// Whether a socket bound to the entry's local address is in the way of a bind to this one.
  package func meets(_ entry: SocketEntry) -> Bool {
    let theirs = entry.localAddress.unmapped
    // A wildcard of IPv6 covers IPv4 unless it said otherwise; where the source
    // does not tell, it may.
    let theirsCoverV4 = theirs.family == .v4 || (theirs.isWildcard && entry.acceptsOnlyV6 != true)
    switch self {
    case .loopbackV4:
      return theirsCoverV4 && (theirs.isWildcard || theirs == self.address)
    case .anyV4: return theirsCoverV4
    case .loopbackV6:
      return theirs.family == .v6 && (theirs.isWildcard || theirs == self.address)
    case .anyV6: return theirs.family == .v6
    case .anyDual: return true
    }
  }
}

/// Tries whether a port can be bound, the way a server would: with SO_REUSEADDR.
package enum BindProbe {
  package enum Result: Hashable, Sendable {
    case bound
    /// EADDRINUSE: a listener, or a socket without SO_REUSEADDR in any state.
    case inUse
    /// The machine has no such address or family.
    case noSuchAddress
    /// Something else than the port stands in the way: a privileged port, a sandbox.
    case failed(Errno)
  }

  /// Binds a socket, does not listen, and closes it at once, which frees the
  /// port at once: there was no connection, so there is no TIME_WAIT (bind(2)).
  package static func bind(_ address: BindAddress, port: UInt16) -> Result {
    let target = SocketAddress.tcp(address.address, port: port)
    let descriptor = socket(
      target.domain, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return Self.failure(Errno(rawValue: errno)) }
    defer { close(descriptor) }
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    guard setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size) == 0 else {
      return Self.failure(Errno(rawValue: errno))
    }
    if target.domain == AF_INET6 {
      var only: Int32 = address.acceptsOnlyV6 ? 1 : 0
      guard setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, size) == 0 else {
        return Self.failure(Errno(rawValue: errno))
      }
    }
    let result = (target.kernelForm ?? []).withUnsafeBytes { bytes in
      Glibc.bind(
        descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    return result == 0 ? .bound : Self.failure(Errno(rawValue: errno))
  }

  private static func failure(_ error: Errno) -> Result {
    switch error {
    case .addressInUse: return .inUse
    case .addressNotAvailable, .addressFamilyNotSupported: return .noSuchAddress
    default: return .failed(error)
    }
  }
}
