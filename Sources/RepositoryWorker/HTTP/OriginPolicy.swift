/// Which web pages may talk to this server: those of this machine only.
///
/// A browser names the page's origin in every request a page of another site makes, also after that
/// site has pointed its name at 127.0.0.1 (DNS rebinding). Programs that are no browsers name none.
package enum OriginPolicy {
  package static func admits(_ values: [String]) -> Bool {
    guard let value = values.first else { return true }
    guard values.count == 1 else { return false }
    guard let scheme = ["http://", "https://"].first(where: { value.lowercased().hasPrefix($0) }) else {
      return false
    }
    return OriginPolicy.isLoopback(value.dropFirst(scheme.count))
  }

  /// Whether an authority (RFC 3986, 3.2), with or without a port, is this machine's own name for itself.
  static func isLoopback(_ authority: Substring) -> Bool {
    OriginPolicy.host(of: authority).map { ["localhost", "127.0.0.1", "[::1]"].contains($0) } ?? false
  }

  /// The host of an authority in small letters, an IPv6 address in its brackets; nil if it is none.
  static func host(of authority: Substring) -> String? {
    let host: Substring
    let rest: Substring
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[...end]
      rest = authority[authority.index(after: end)...]
    } else {
      host = authority.prefix { $0 != ":" }
      rest = authority[host.endIndex...]
    }
    guard !host.isEmpty, rest.isEmpty || (rest.hasPrefix(":") && UInt16(rest.dropFirst()) != nil) else {
      return nil
    }
    return host.lowercased()
  }
}
