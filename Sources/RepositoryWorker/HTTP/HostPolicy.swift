/// By which names this server may be addressed on a connection to a loopback address: by those of the
/// loopback addresses, and by what it was told.
///
/// A page whose site has pointed its name at 127.0.0.1 (DNS rebinding) still has that name in Host, also
/// where the browser sends no Origin. Who connects to another address may use any name: of those this
/// server knows nothing.
package struct HostPolicy: Hashable, Sendable {
  /// In small letters.
  private let allowed: Set<String>

  /// - Parameter allowed: Further names, of a proxy on this machine that passes on what it was asked for.
  package init(allowed: [String] = []) {
    self.allowed = Set(allowed.map { $0.lowercased() })
  }

  /// Whether the values of Host headers are admitted. HTTP/1.0 needs none.
  package func admits(_ values: [String]) -> Bool {
    guard let value = values.first else { return true }
    guard values.count == 1 else { return false }
    guard let host = OriginPolicy.host(of: value[...]) else { return false }
    return OriginPolicy.isLoopback(value[...]) || HostPolicy.isLoopbackAddress(host)
      || self.allowed.contains(host)
  }

  /// 127.0.0.0/8.
  private static func isLoopbackAddress(_ host: String) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.first == "127"
      && parts.allSatisfy { UInt8($0) != nil && $0.first != "+" }
  }
}
