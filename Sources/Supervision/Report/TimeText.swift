internal import SystemdNotify

extension Microseconds {
  /// For people: `812 µs`, `12.3 ms`, `3.2 s`, `2 min 5 s`, `3 h 4 min`, `5 days`.
  package var text: String {
    switch self.count {
    case ..<0: return "0 µs"
    case ..<1000: return "\(self.count) µs"
    // Up to where rounding would make a thousand of it.
    case ..<999_950: return "\(Self.decimal(self.count, per: 1000)) ms"
    case ..<59_950_000: return "\(Self.decimal(self.count, per: 1_000_000)) s"
    default: break
    }
    let seconds = (self.count + 500_000) / 1_000_000
    if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
    if seconds < 48 * 3600 { return "\(seconds / 3600) h \(seconds % 3600 / 60) min" }
    return "\(seconds / 86_400) days"
  }

  private static func decimal(_ count: Int64, per unit: Int64) -> String {
    let tenths = (count * 10 + unit / 2) / unit
    return tenths % 10 == 0 || tenths >= 1000 ? "\((tenths + 5) / 10)" : "\(tenths / 10).\(tenths % 10)"
  }

  /// This many since 1970, in UTC as logs have it, without what is below a second: `2026-11-21 10:30:52Z`.
  package var date: String {
    var bytes: [UInt8] = []
    LogTime(seconds: Int(self.count / 1_000_000), microseconds: 0).append(to: &bytes)
    let text = String(decoding: bytes, as: UTF8.self)
    return text.prefix(10) + " " + text.dropFirst(11).prefix(8) + "Z"
  }
}
