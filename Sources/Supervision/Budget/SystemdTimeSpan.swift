internal import ProcCtl

/// Spans of time as systemd writes and reads them (systemd.time(7)).
package enum SystemdTimeSpan: Sendable, Equatable {
  case finite(Duration)
  case infinite

  /// Reads `1min 30s`, `90`, `2h`, `1.5s`, `infinity`; nil for anything else. A bare number is seconds.
  package init?(_ text: String) {
    let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
    if words == ["infinity"] {
      self = .infinite
      return
    }
    guard !words.isEmpty else { return nil }
    var total = Duration.zero
    var rest = words.joined()[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      rest = rest[digits.endIndex...]
      let unit = rest.prefix { $0.isLetter }
      rest = rest[unit.endIndex...]
      // Far beyond anything that could be meant, but within what a Duration holds.
      guard let number = Double(digits), number >= 0, number < 1e6, let scale = Self.units[String(unit)]
      else {
        return nil
      }
      total += .microseconds(Int64(number * scale * 1e6))
    }
    self = .finite(total)
  }

  /// In seconds.
  private static let units: [String: Double] = [
    "us": 1e-6, "usec": 1e-6, "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "ms": 0.001, "msec": 0.001,
    "m": 60, "min": 60,
    "minute": 60, "minutes": 60, "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600, "d": 86_400,
    "day": 86_400, "days": 86_400, "w": 604_800, "week": 604_800, "weeks": 604_800,
  ]
}
