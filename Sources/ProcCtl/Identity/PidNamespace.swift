internal import Glibc

/// The pid namespace (pid_namespaces(7)) process numbers are of.
package enum PidNamespace {
  /// The number /proc/self/ns/pid shows, the same for all in it; 0 if it cannot be read.
  package static func own() -> UInt64 {
    var target = [CChar](repeating: 0, count: 64)
    let length = readlink("/proc/self/ns/pid", &target, target.count)
    guard length > 0 else { return 0 }
    // pid:[4026531836]
    let digits = target.prefix(length).map { UInt8(bitPattern: $0) }.filter {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
    }
    return UInt64(decimal: digits) ?? 0
  }
}
