internal import Glibc
internal import SystemPackage

/// The pid namespace (pid_namespaces(7)) process numbers are of.
package enum PidNamespace {
  /// The number /proc/self/ns/pid shows, the same for all in it; 0 where there is none.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if it cannot be read.
  package static func own() throws(ProcessError) -> UInt64 {
    var target = [CChar](repeating: 0, count: 64)
    let path = "/proc/self/ns/pid"
    let length = readlink(path, &target, target.count)
    guard length > 0 else {
      let error = Errno(rawValue: errno)
      if error.meansGone { return 0 }
      throw ProcessError(.inspect, doing: "read \(path)", underlyingError: error)
    }
    // pid:[4026531836]
    let digits = target.prefix(length).map { UInt8(bitPattern: $0) }.filter {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
    }
    return UInt64(decimal: digits) ?? 0
  }
}
