internal import CProcCtl
internal import Glibc

/// Where something listens: a TCP port on an address, or a Unix socket.
package enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
  case tcp(InternetAddress, port: UInt16)
  /// A path in the file system, at most 107 bytes; a leading `@` names the
  /// abstract namespace instead (unix(7)).
  case unix(path: String)

  package var description: String {
    switch self {
    case .tcp(let address, let port):
      return address.family == .v6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    case .unix(let path): return "unix:\(path)"
    }
  }

  /// AF_INET, AF_INET6 or AF_UNIX.
  package var domain: Int32 {
    switch self {
    case .tcp(let address, _): return address.family == .v4 ? AF_INET : AF_INET6
    case .unix: return AF_UNIX
    }
  }

  /// The address as connect(2) and bind(2) take it: a sockaddr_in, sockaddr_in6
  /// or sockaddr_un, byte for byte.
  ///
  /// Nil if the path of a Unix socket is empty, too long, or contains a zero byte.
  package var kernelForm: [UInt8]? {
    switch self {
    case .tcp(let address, let port) where address.family == .v4:
      var raw = sockaddr_in()
      raw.sin_family = sa_family_t(AF_INET)
      raw.sin_port = port.bigEndian
      withUnsafeMutableBytes(of: &raw.sin_addr) { $0.copyBytes(from: address.rawBytes) }
      return withUnsafeBytes(of: &raw) { Array($0) }
    case .tcp(let address, let port):
      var raw = sockaddr_in6()
      raw.sin6_family = sa_family_t(AF_INET6)
      raw.sin6_port = port.bigEndian
      withUnsafeMutableBytes(of: &raw.sin6_addr) { $0.copyBytes(from: address.rawBytes) }
      return withUnsafeBytes(of: &raw) { Array($0) }
    case .unix(let path):
      var raw = sockaddr_un()
      raw.sun_family = sa_family_t(AF_UNIX)
      var name = Array(path.utf8)
      let isAbstract = name.first == UInt8(ascii: "@")
      guard !name.isEmpty, !name.contains(0), name.count < MemoryLayout.size(ofValue: raw.sun_path) else {
        return nil
      }
      if isAbstract { name[0] = 0 }
      withUnsafeMutableBytes(of: &raw.sun_path) { $0.copyBytes(from: name) }
      // An abstract name ends with the length, a path with a zero byte.
      let size = MemoryLayout<sa_family_t>.size + name.count + (isAbstract ? 0 : 1)
      return withUnsafeBytes(of: &raw) { Array($0.prefix(size)) }
    }
  }
}
