import Glibc

/// The programs under test and the ones tests use, as paths.
enum Programs {
  /// PROCCTL_BIN_DIR, or where this test bundle lies: SwiftPM puts all products there.
  static let directory: String = {
    if let given = getenv("PROCCTL_BIN_DIR"), given.pointee != 0 { return String(cString: given) }
    let own = ProcTable.link("/proc/self/exe") ?? ""
    return own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  }()

  static var procctl: String { "\(directory)/procctl" }
  static var workload: String { "\(directory)/test-workload" }

  /// The procctl that ships, if it has been built: optimised, with Swift's library inside.
  static let shipped: String? = {
    let beside = directory.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let path = beside.joined(separator: "/") + "/release/procctl"
    guard let content = ProcTable.bytes(path, limit: 1 << 30) else { return nil }
    return content.firstRange(of: Array("libswiftCore.so".utf8)) == nil ? path : nil
  }()

  /// Looks along PATH; nil if there is none.
  static func find(_ name: String) -> String? {
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }
}
