/// The forms a number, boolean, date or time can have in TOML 1.0.
///
/// The library asserts on some that are none of them (`1979-05-27 x`), so it is given only what has
/// one of these forms. Whether a number fits and a day exists, it finds out.
struct TOMLScalar {
  private var rest: ArraySlice<UInt8>

  static func isWellFormed(_ bytes: ArraySlice<UInt8>) -> Bool {
    self.words.contains(String(decoding: bytes, as: UTF8.self)) || self.matches(bytes) { $0.takeNumber() }
      || self.matches(bytes) { $0.takeMoment() }
  }

  private static let words: Set<String> = [
    "true", "false", "inf", "+inf", "-inf", "nan", "+nan", "-nan",
  ]

  /// Whether the reader takes all of it.
  private static func matches(_ bytes: ArraySlice<UInt8>, _ read: (inout TOMLScalar) -> Bool) -> Bool {
    var scalar = TOMLScalar(rest: bytes)
    return read(&scalar) && scalar.rest.isEmpty
  }

  private static func isDecimal(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  // MARK: Numbers

  private mutating func takeNumber() -> Bool {
    for (prefix, digits) in [("0x", "0123456789abcdefABCDEF"), ("0o", "01234567"), ("0b", "01")]
    where self.rest.starts(with: prefix.utf8) {
      self.rest = self.rest.dropFirst(2)
      return self.takeDigits { digits.utf8.contains($0) }
    }
    _ = self.take("+-")
    let first = self.rest.first
    let whole = self.rest.count
    guard self.takeDigits(TOMLScalar.isDecimal) else { return false }
    if first == UInt8(ascii: "0"), whole - self.rest.count > 1 { return false }
    if self.take("."), !self.takeDigits(TOMLScalar.isDecimal) { return false }
    if self.take("eE") {
      _ = self.take("+-")
      return self.takeDigits(TOMLScalar.isDecimal)
    }
    return true
  }

  /// Digits, between which single underscores may stand.
  private mutating func takeDigits(_ isDigit: (UInt8) -> Bool) -> Bool {
    var afterDigit = false
    while let byte = self.rest.first {
      if isDigit(byte) {
        afterDigit = true
      } else if byte == UInt8(ascii: "_"), afterDigit {
        afterDigit = false
      } else {
        break
      }
      self.rest = self.rest.dropFirst()
    }
    return afterDigit
  }

  // MARK: Dates and times

  /// A date, a time, or a date and a time with or without an offset.
  private mutating func takeMoment() -> Bool {
    if self.matchesShape("dd:") { return self.takeTime() }
    guard self.takeShape("dddd-dd-dd") else { return false }
    guard self.take("Tt ") else { return true }
    guard self.takeTime() else { return false }
    return self.rest.isEmpty || self.take("Zz") || (self.take("+-") && self.takeShape("dd:dd"))
  }

  private mutating func takeTime() -> Bool {
    guard self.takeShape("dd:dd:dd") else { return false }
    guard self.take(".") else { return true }
    let digits = self.rest.prefix(while: TOMLScalar.isDecimal).count
    self.rest = self.rest.dropFirst(digits)
    return digits > 0
  }

  /// Whether it begins like this, with `d` for a digit.
  private func matchesShape(_ shape: String) -> Bool {
    self.rest.count >= shape.utf8.count
      && zip(self.rest, shape.utf8).allSatisfy { byte, expected in
        expected == UInt8(ascii: "d") ? TOMLScalar.isDecimal(byte) : byte == expected
      }
  }

  private mutating func takeShape(_ shape: String) -> Bool {
    guard self.matchesShape(shape) else { return false }
    self.rest = self.rest.dropFirst(shape.utf8.count)
    return true
  }

  /// Takes one of the characters, if it is there.
  private mutating func take(_ characters: String) -> Bool {
    guard let byte = self.rest.first, characters.utf8.contains(byte) else { return false }
    self.rest = self.rest.dropFirst()
    return true
  }
}
