internal import CProcCtl
internal import Glibc

/// An IPv4 or IPv6 address, held in place so that a table of ten thousand
/// sockets costs no allocation per entry.
package struct InternetAddress: Hashable, Sendable, CustomStringConvertible {
  package enum Family: Hashable, Sendable {
    case v4, v6
  }

  package let family: Family
  // The address in network order, most significant byte first; an IPv4 address
  // is in the lowest four bytes.
  private let high: UInt64
  private let low: UInt64

  /// Makes an address of 4 bytes (IPv4) or 16 (IPv6), in network order; nil for any other number.
  package init?(rawBytes: some Collection<UInt8>) {
    switch rawBytes.count {
    case 4: self.family = .v4
    case 16: self.family = .v6
    default: return nil
    }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for byte in rawBytes {
      high = high << 8 | low >> 56
      low = low << 8 | UInt64(byte)
    }
    self.high = high
    self.low = low
  }

  private init(family: Family, high: UInt64, low: UInt64) {
    self.family = family
    self.high = high
    self.low = low
  }

  package static let loopbackV4 = InternetAddress(family: .v4, high: 0, low: 0x7f00_0001)
  package static let loopbackV6 = InternetAddress(family: .v6, high: 0, low: 1)
  package static let anyV4 = InternetAddress(family: .v4, high: 0, low: 0)
  package static let anyV6 = InternetAddress(family: .v6, high: 0, low: 0)

  /// Reads `127.0.0.1` or `::1` (inet_pton(3)); no names, no brackets.
  package init?(_ text: String) {
    var buffer = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &buffer) == 1 {
      self.init(rawBytes: buffer.prefix(4))
    } else if inet_pton(AF_INET6, text, &buffer) == 1 {
      self.init(rawBytes: buffer)
    } else {
      return nil
    }
  }

  /// The 4 or 16 bytes in network order.
  package var rawBytes: [UInt8] {
    let lower = (0..<8).map { UInt8(truncatingIfNeeded: self.low >> (56 - 8 * $0)) }
    switch self.family {
    case .v4: return Array(lower.suffix(4))
    case .v6: return (0..<8).map { UInt8(truncatingIfNeeded: self.high >> (56 - 8 * $0)) } + lower
    }
  }

  /// 0.0.0.0 or ::, which stand for every address.
  package var isWildcard: Bool { self.high == 0 && self.low == 0 }

  /// The IPv4 address in an IPv4-mapped one (::ffff:127.0.0.1), or the address
  /// itself: a server on :: sees its IPv4 clients under mapped addresses.
  package var unmapped: InternetAddress {
    guard self.family == .v6, self.high == 0, self.low >> 32 == 0xffff else { return self }
    return InternetAddress(family: .v4, high: 0, low: self.low & 0xffff_ffff)
  }

  /// The text form of inet_ntop(3).
  package var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = self.family == .v4 ? AF_INET : AF_INET6
    let converted = self.rawBytes.withUnsafeBytes {
      inet_ntop(family, $0.baseAddress, &text, socklen_t(text.count)) != nil
    }
    guard converted else { return "?" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
