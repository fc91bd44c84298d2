internal import Glibc
internal import SystemPackage

/// What this process takes of the machine, as /proc shows it.
package struct OwnUsage: Sendable, Equatable {
  /// In bytes: pages in memory, shared ones among them (proc(5), statm).
  package var residentMemory: Int?
  /// In bytes: the same, with each shared page divided by those who share it (proc(5), smaps_rollup).
  package var proportionalMemory: Int?
  package var threads: Int?
  /// How many file descriptors are open.
  package var descriptors: Int?
  /// How many processes wanted to run, on average of 1, 5 and 15 minutes (proc(5), loadavg).
  package var load: [Double] = []

  /// Reads it; what cannot be read is absent. Does not block.
  package static func current() -> OwnUsage {
    var usage = OwnUsage()
    if let pages = self.words("/proc/self/statm").dropFirst().first.flatMap({ Int($0) }) {
      usage.residentMemory = pages * sysconf(Int32(_SC_PAGESIZE))
    }
    let rollup = self.words("/proc/self/smaps_rollup")
    if let position = rollup.firstIndex(of: "Pss:"), position + 1 < rollup.count {
      usage.proportionalMemory = Int(rollup[position + 1]).map { $0 << 10 }
    }
    usage.threads = (try? ProcDirectory.numericNames(in: "/proc/self/task"))?.count
    // One of them is the directory we read.
    usage.descriptors = (try? ProcDirectory.numericNames(in: "/proc/self/fd")).map { $0.count - 1 }
    usage.load = self.words("/proc/loadavg").prefix(3).compactMap { Double($0) }
    return usage
  }

  private static func words(_ path: String) -> [Substring] {
    guard let bytes = try? ProcFile.read(path, limit: 1 << 14) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
  }
}
