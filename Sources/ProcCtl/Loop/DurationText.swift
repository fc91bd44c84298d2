/// A text that is no duration.
public struct DurationTextError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong with a text. There are no more kinds: whatever is not one of the others is malformed.
  public enum Reason: Sendable, Equatable {
    /// Not a number with at most one unit.
    case malformed
    /// Below zero.
    case negative
    /// More than a century.
    case tooLong
  }

  /// The text that was to be read.
  public var text: String
  /// What is wrong with it.
  public var reason: Reason

  /// Creates an error.
  public init(text: String, reason: Reason) {
    self.text = text
    self.reason = reason
  }

  /// One line that says what can be written instead.
  public var description: String {
    switch self.reason {
    case .malformed: "\"\(self.text)\" is not a duration: write 250ms, 10s, 2m or 1h"
    case .negative: "\"\(self.text)\" is negative: a duration is zero or more"
    case .tooLong: "\"\(self.text)\" is too long: a duration is at most a century"
    }
  }
}

extension Duration {
  /// The longest duration that can be written, a century: sums of several stay far from the end of
  /// what Int64 nanoseconds hold.
  package static let longestText = Duration.seconds(100 * 366 * 86_400)

  private static let units: [(name: String, nanoseconds: UInt128)] = [
    ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
  ]

  /// Reads `250ms`, `10s`, `2m`, `1h`, `1.5s` or a bare number of seconds; `0` is no time at all.
  ///
  /// There is one number and at most one unit, without blanks, sign or exponent.
  ///
  /// - Throws: `DurationTextError` saying whether the text is no duration, negative, or more
  ///   than a century.
  public init(text: String) throws(DurationTextError) {
    let number = text.utf8.prefix { isDigit($0) || $0 == UInt8(ascii: ".") }
    let suffix = String(text[number.endIndex...])
    if number.isEmpty, suffix.hasPrefix("-"), suffix.utf8.dropFirst().first.map(isDigit) == true {
      throw DurationTextError(text: text, reason: .negative)
    }
    let unit = suffix.isEmpty ? 1_000_000_000 : Duration.units.first { $0.name == suffix }?.nanoseconds
    let parts = number.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard let unit, (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }),
      parts.count == 1 || parts[1].count <= 9
    else { throw DurationTextError(text: text, reason: .malformed) }

    var nanoseconds: UInt128 = 0
    if let whole = UInt64(String(parts[0]) ?? "") {
      nanoseconds = UInt128(whole) * unit
    } else {
      throw DurationTextError(text: text, reason: .tooLong)
    }
    if parts.count == 2 {
      var digits: UInt128 = 0
      var scale: UInt128 = 1
      for digit in parts[1] {
        digits = digits * 10 + UInt128(digit - UInt8(ascii: "0"))
        scale *= 10
      }
      nanoseconds += digits * unit / scale
    }
    guard let count = Int64(exactly: nanoseconds), Duration.nanoseconds(count) <= Duration.longestText else {
      throw DurationTextError(text: text, reason: .tooLong)
    }
    self = .nanoseconds(count)
  }

  /// The duration as it would be written: `250ms`, `1.5s`, `2m`, `1h`; `0s` for none.
  ///
  /// What is left below a nanosecond is dropped. `Duration(text:)` reads every such text back.
  public var text: String {
    let (seconds, attoseconds) = self.components
    let nanoseconds = Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
    let sign = nanoseconds < 0 ? "-" : ""
    let count = nanoseconds.magnitude
    if count == 0 { return "0s" }
    for unit in Duration.units.reversed() where unit.nanoseconds > 1_000_000_000 {
      if count.isMultiple(of: unit.nanoseconds) { return "\(sign)\(count / unit.nanoseconds)\(unit.name)" }
    }
    let unit = count < 1_000_000_000 ? Duration.units[0] : Duration.units[1]
    var text = "\(sign)\(count / unit.nanoseconds)"
    var rest = count % unit.nanoseconds
    if rest > 0 {
      text += "."
      var place = unit.nanoseconds / 10
      while rest > 0 {
        text += "\(rest / place)"
        rest %= place
        place /= 10
      }
    }
    return text + unit.name
  }
}

private func isDigit(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}
