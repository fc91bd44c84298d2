package import ProcCtl

/// Where the health endpoint listens: an address and a port, or a Unix socket.
public struct HealthAddress: Sendable, Equatable, CustomStringConvertible {
  package let socket: SocketAddress

  /// Reads `127.0.0.1:9180`, `[::1]:9180`, `localhost:9180` or `unix:/run/health.sock`; nil for
  /// anything else. Names other than `localhost` are not looked up, and paths are absolute and at
  /// most 107 bytes long (unix(7)).
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard path.hasPrefix("/"), SocketAddress.unix(path: path).kernelForm != nil else { return nil }
      self.socket = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
    else { return nil }
    var host = String(text[..<colon])
    if host == "localhost" { host = "127.0.0.1" }
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = String(host.dropFirst().dropLast()) }
    guard let address = InternetAddress(host), isBracketed == (address.family == .v6) else { return nil }
    self.socket = .tcp(address, port: port)
  }

  /// Nil for a Unix socket.
  public var port: UInt16? {
    if case .tcp(_, let port) = self.socket { port } else { nil }
  }

  /// As it would be written in a configuration.
  public var description: String { self.socket.description }
}
