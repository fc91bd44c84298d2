import Glibc

/// The programs under test and the ones tests use, as paths.
enum Programs {
  /// PROCCTL_BIN_DIR, or where this test bundle lies: SwiftPM puts all products there.
  static let directory: String = {
    if let given = getenv("PROCCTL_BIN_DIR"), given.pointee != 0 { return String(cString: given) }
    var path = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &path, path.count)
    let own = String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  }()

  static var procctl: String { "\(directory)/procctl" }
  static var workload: String { "\(directory)/test-workload" }

  /// Looks along PATH; nil if there is none.
  static func find(_ name: String) -> String? {
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }
}
