/// Finds the line of the first mistake in a JSON text (RFC 8259), which the decoder does not tell: it only
/// says that there is one.
struct JSONSyntax {
  private let bytes: [UInt8]
  private var position = 0
  /// As deep as the decoder goes.
  private var depthLeft = 512

  private struct Mistake: Error {}

  /// The line, counted from 1; nil if the text is as it must be.
  static func lineOfMistake(in text: String) -> Int? {
    var syntax = JSONSyntax(bytes: Array(text.utf8))
    do throws(Mistake) {
      if syntax.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { syntax.position = 3 }
      try syntax.value()
      syntax.skipBlanks()
      if syntax.position == syntax.bytes.count { return nil }
    } catch {}
    return 1 + syntax.bytes[..<syntax.position].count { $0 == UInt8(ascii: "\n") }
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private var current: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

  private mutating func skipBlanks() {
    while let byte = self.current, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { self.position += 1 }
  }

  private mutating func take(_ byte: Unicode.Scalar) -> Bool {
    guard self.current == UInt8(ascii: byte) else { return false }
    self.position += 1
    return true
  }

  private mutating func expect(_ byte: Unicode.Scalar) throws(Mistake) {
    self.skipBlanks()
    guard self.take(byte) else { throw Mistake() }
  }

  private mutating func value() throws(Mistake) {
    self.skipBlanks()
    switch self.current {
    case UInt8(ascii: "{"):
      try self.list(endingWith: "}") { (syntax) throws(Mistake) in
        guard syntax.current == UInt8(ascii: "\"") else { throw Mistake() }
        try syntax.string()
        try syntax.expect(":")
        try syntax.value()
      }
    case UInt8(ascii: "["):
      try self.list(endingWith: "]") { (syntax) throws(Mistake) in try syntax.value() }
    case UInt8(ascii: "\""): try self.string()
    case UInt8(ascii: "t"): try self.word("true")
    case UInt8(ascii: "f"): try self.word("false")
    case UInt8(ascii: "n"): try self.word("null")
    default: try self.number()
    }
  }

  /// What is in an object or an array. The decoder takes a comma after the last element, and so do we.
  private mutating func list(
    endingWith end: Unicode.Scalar, element: (inout JSONSyntax) throws(Mistake) -> Void
  ) throws(Mistake) {
    self.position += 1
    guard self.depthLeft > 0 else { throw Mistake() }
    self.depthLeft -= 1
    defer { self.depthLeft += 1 }
    while true {
      self.skipBlanks()
      if self.take(end) { return }
      try element(&self)
      self.skipBlanks()
      if self.take(end) { return }
      try self.expect(",")
    }
  }

  private mutating func word(_ word: StaticString) throws(Mistake) {
    for byte in "\(word)".unicodeScalars { guard self.take(byte) else { throw Mistake() } }
  }

  private mutating func string() throws(Mistake) {
    self.position += 1
    while let byte = self.current {
      switch byte {
      case UInt8(ascii: "\""):
        self.position += 1
        return
      case UInt8(ascii: "\\"):
        self.position += 1
        if self.take("u") {
          for _ in 0..<4 {
            guard let digit = self.current, Character(Unicode.Scalar(digit)).isHexDigit else {
              throw Mistake()
            }
            self.position += 1
          }
        } else {
          guard let kind = self.current, "\"\\/bfnrt".utf8.contains(kind) else { throw Mistake() }
          self.position += 1
        }
      case 0..<0x20: throw Mistake()
      default: self.position += 1
      }
    }
    throw Mistake()
  }

  private mutating func number() throws(Mistake) {
    _ = self.take("-")
    if !self.take("0") { try self.digits() }
    if self.take(".") { try self.digits() }
    if self.take("e") || self.take("E") {
      if !self.take("+") { _ = self.take("-") }
      try self.digits()
    }
  }

  private mutating func digits() throws(Mistake) {
    let start = self.position
    while let byte = self.current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      self.position += 1
    }
    if self.position == start { throw Mistake() }
  }
}
