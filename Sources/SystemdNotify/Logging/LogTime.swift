internal import CProcCtl
internal import Glibc

/// The wall clock for log lines; nothing is decided by it.
package struct LogTime: Hashable, Sendable {
  /// Since 1970-01-01 00:00:00 UTC.
  package var seconds: Int
  package var microseconds: Int

  package init(seconds: Int, microseconds: Int) {
    self.seconds = seconds
    self.microseconds = microseconds
  }

  package static let now: @Sendable () -> LogTime = {
    let nanoseconds = cprocctl_wall_clock_nanoseconds()
    return LogTime(
      seconds: Int(nanoseconds / 1_000_000_000), microseconds: Int(nanoseconds % 1_000_000_000 / 1000))
  }

  /// RFC 3339 in UTC: `2026-02-03T04:05:06.000007Z`.
  package func append(to bytes: inout [UInt8]) {
    var seconds = time_t(self.seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let fields: [(value: Int, width: Int, before: Unicode.Scalar?)] = [
      (Int(parts.tm_year) + 1900, 4, nil), (Int(parts.tm_mon) + 1, 2, "-"), (Int(parts.tm_mday), 2, "-"),
      (Int(parts.tm_hour), 2, "T"), (Int(parts.tm_min), 2, ":"), (Int(parts.tm_sec), 2, ":"),
      (self.microseconds, 6, "."),
    ]
    for field in fields {
      if let before = field.before { bytes.append(UInt8(ascii: before)) }
      let digits = String(field.value)
      bytes += repeatElement(UInt8(ascii: "0"), count: max(0, field.width - digits.utf8.count))
      bytes += digits.utf8
    }
    bytes.append(UInt8(ascii: "Z"))
  }
}
