/// Damages a valid input the way files get damaged and attackers try.
package struct Damage: Sendable {
  /// What has a meaning in the format.
  package var tokens: [[UInt8]]

  package init(tokens: [String]) {
    self.tokens = tokens.map { Array($0.utf8) }
  }

  private static let numbers = [
    "0", "-1", "1", "00", "127", "128", "255", "256", "65535", "65536", "2147483647", "2147483648",
    "-2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
    "18446744073709551615", "18446744073709551616", "999999999999999999999999999999",
  ].map { Array($0.utf8) }

  /// Not UTF-8, or UTF-8 that is seldom thought of: cut off, overlong, a surrogate, beyond the end, a
  /// mark of byte order, a combining accent, separators of lines and a change of direction.
  private static let bytes: [[UInt8]] = [
    [0x80], [0xFF], [0xC3], [0xE2, 0x82], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
    [0xEF, 0xBB, 0xBF], [0xCC, 0x81], [0xC2, 0x85], [0xE2, 0x80, 0xA8], [0xE2, 0x80, 0xAE], [0x00], [0x7F],
    [0x1B, 0x5B], [0x0D], [0x0D, 0x0A], [0x0A],
  ]

  /// The input, damaged in up to four places; now and then a lot longer.
  package func apply(to input: [UInt8], using random: inout SeededRandom) -> [UInt8] {
    var bytes = input
    for _ in 0..<Int.random(in: 1...4, using: &random) { self.damageOnce(&bytes, input, using: &random) }
    return bytes
  }

  private func damageOnce(_ bytes: inout [UInt8], _ input: [UInt8], using random: inout SeededRandom) {
    let start = Int.random(in: 0...bytes.count, using: &random)
    let end = min(bytes.count, start + Int.random(in: 0...12, using: &random))
    let far = Int.random(in: start...bytes.count, using: &random)
    switch Int.random(in: 0..<12, using: &random) {
    case 0 where start < bytes.count: bytes[start] ^= 1 << UInt8.random(in: 0...7, using: &random)
    case 1 where start < bytes.count: bytes[start] = UInt8.random(in: 0...255, using: &random)
    case 2: bytes.removeSubrange(start..<end)
    case 3: bytes.removeSubrange(far...)
    case 4: bytes.insert(contentsOf: bytes[start..<far], at: start)
    case 5: bytes.insert(contentsOf: Damage.bytes.randomElement(using: &random) ?? [], at: start)
    case 6: bytes.insert(contentsOf: Damage.numbers.randomElement(using: &random) ?? [], at: start)
    case 7: self.replaceNumber(in: &bytes, from: start, using: &random)
    case 8:
      // A piece, again and again.
      let times = random.chance(10) ? 3000 : Int.random(in: 2...40, using: &random)
      let piece = random.chance(50) ? Array(bytes[start..<end]) : self.token(using: &random)
      bytes.insert(contentsOf: [[UInt8]](repeating: piece, count: times).joined(), at: start)
    case 9:
      // A piece of the undamaged input somewhere else.
      let from = Int.random(in: 0...input.count, using: &random)
      let to = Int.random(in: from...input.count, using: &random)
      bytes.replaceSubrange(start..<end, with: input[from..<to])
    default: bytes.insert(contentsOf: self.token(using: &random), at: start)
    }
  }

  private func token(using random: inout SeededRandom) -> [UInt8] {
    self.tokens.randomElement(using: &random) ?? []
  }

  private func replaceNumber(in bytes: inout [UInt8], from start: Int, using random: inout SeededRandom) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard let first = bytes[start...].firstIndex(where: digits.contains) else { return }
    let end = bytes[first...].firstIndex { !digits.contains($0) } ?? bytes.count
    bytes.replaceSubrange(first..<end, with: Damage.numbers.randomElement(using: &random) ?? [])
  }
}

extension SeededRandom {
  package mutating func bytes(_ counts: ClosedRange<Int>, from values: ClosedRange<UInt8> = 0...255)
    -> [UInt8]
  {
    (0..<Int.random(in: counts, using: &self)).map { _ in UInt8.random(in: values, using: &self) }
  }

  package mutating func pick<Element>(_ elements: [Element]) -> Element? {
    elements.randomElement(using: &self)
  }
}
