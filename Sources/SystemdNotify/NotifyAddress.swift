internal import CProcCtl
internal import Glibc
package import SystemPackage

/// Where notifications go: what `NOTIFY_SOCKET` holds (unix(7)).
package struct NotifyAddress: Hashable, Sendable, CustomStringConvertible {
  private enum Place: Hashable, Sendable {
    case path(FilePath)
    case abstract([UInt8])
  }

  private let place: Place

  /// sun_path, without the byte that ends or begins it.
  private static let longestName = 107

  /// - Throws: ``NotificationError`` with code `.unsupportedAddress` for anything but `/path` and `@name`.
  package init(environmentValue value: String) throws(NotificationError) {
    if value.hasPrefix("@") {
      try self.init(abstractName: Array(value.utf8.dropFirst()))
    } else {
      try self.init(path: FilePath(value))
    }
  }

  package init(path: FilePath) throws(NotificationError) {
    guard path.isAbsolute, path.length <= NotifyAddress.longestName else {
      throw NotificationError(
        .unsupportedAddress,
        doing: "a notification socket is an absolute path of at most 107 bytes or @name, not \(path)")
    }
    self.place = .path(path)
  }

  package init(abstractName name: [UInt8]) throws(NotificationError) {
    guard !name.isEmpty, name.count <= NotifyAddress.longestName, !name.contains(0) else {
      throw NotificationError(
        .unsupportedAddress, doing: "an abstract socket has a name of 1 to 107 bytes without NUL")
    }
    self.place = .abstract(name)
  }

  package var path: FilePath? {
    if case .path(let path) = self.place { path } else { nil }
  }

  /// What to put in `NOTIFY_SOCKET`.
  package var environmentValue: String {
    switch self.place {
    case .path(let path): path.string
    case .abstract(let name): "@" + String(decoding: name, as: UTF8.self)
    }
  }

  package var description: String { self.environmentValue }

  /// Calls the body with the address as bind(2), connect(2) and sendmsg(2) take it.
  func withSocketAddress<Result>(_ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var used: Int
    let bytes: [UInt8]
    switch self.place {
    case .path(let path):
      bytes = Array(path.string.utf8)
      used = bytes.count + 1
    case .abstract(let name):
      bytes = [0] + name
      used = bytes.count
    }
    // Both initialisers keep the name within sun_path.
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.prefix(108)) }
    used += MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    return withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(used)) }
    }
  }
}
