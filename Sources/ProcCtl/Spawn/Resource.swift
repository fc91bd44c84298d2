internal import CProcCtl
internal import Glibc

/// A resource the kernel limits per process (getrlimit(2)).
public struct Resource: Hashable, Sendable, CustomStringConvertible {
  package var number: Int32

  private static let names: [(String, Int32)] = [
    ("cpu", Int32(RLIMIT_CPU.rawValue)), ("fsize", Int32(RLIMIT_FSIZE.rawValue)),
    ("data", Int32(RLIMIT_DATA.rawValue)), ("stack", Int32(RLIMIT_STACK.rawValue)),
    ("core", Int32(RLIMIT_CORE.rawValue)), ("rss", 5), ("nproc", 6),
    ("nofile", Int32(RLIMIT_NOFILE.rawValue)), ("memlock", 8), ("as", Int32(RLIMIT_AS.rawValue)),
    ("locks", 10), ("sigpending", 11), ("msgqueue", 12), ("nice", 13), ("rtprio", 14), ("rttime", 15),
  ]

  /// Reads a name as prlimit(1) spells it: `nofile`, `nproc`, `as`, …
  public init?(name: String) {
    guard let known = Resource.names.first(where: { $0.0 == name }) else { return nil }
    self.number = known.1
  }

  /// All names that can be given.
  public static var allNames: [String] { Resource.names.map(\.0) }

  /// The hard limit of this process; nil is unlimited.
  package var hardLimit: UInt64? {
    var limit = rlimit()
    guard cprocctl_getrlimit(self.number, &limit) == 0, limit.rlim_max != .max else { return nil }
    return UInt64(limit.rlim_max)
  }

  /// The name as prlimit(1) spells it.
  public var description: String {
    Resource.names.first { $0.1 == self.number }?.0 ?? "\(self.number)"
  }
}
