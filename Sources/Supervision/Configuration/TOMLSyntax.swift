/// Checks the structure of a TOML document before the library parses it.
///
/// On some mistakes (`a = [}`) the library's assertions abort the process, and
/// without assertions it promises nothing. So what has the form of a document
/// is decided here: keys, headers, strings, arrays, inline tables and scalars,
/// not what they mean.
struct TOMLSyntax {
  struct Mistake: Error, Equatable {
    var line: Int
    var message: String
  }

  private static let depthLimit = 64

  private let bytes: [UInt8]
  private var index = 0
  private var line = 1
  private var depth = 0

  /// The first mistake in the text; nil if its structure is sound.
  static func mistake(in text: String) -> Mistake? {
    var syntax = TOMLSyntax(bytes: Array(text.utf8))
    do throws(Mistake) {
      try syntax.document()
      return nil
    } catch {
      return error
    }
  }

  private init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  // MARK: Grammar

  private mutating func document() throws(Mistake) {
    while true {
      try self.skip(newlines: true)
      guard let byte = self.current else { return }
      if byte == UInt8(ascii: "[") {
        try self.header()
      } else {
        try self.assignment()
      }
      try self.skip(newlines: false)
      if let byte = self.current, byte != UInt8(ascii: "\n") {
        throw self.mistake("unexpected \(self.shown(byte)): a line ends here, or a comment begins")
      }
    }
  }

  private mutating func header() throws(Mistake) {
    self.index += 1
    let isArray = self.take("[")
    try self.skip(newlines: false)
    try self.key()
    try self.expect("]", "to close the table's name")
    if isArray, !self.take("]") { throw self.mistake("expected \"]]\" to close the table's name") }
  }

  private mutating func assignment() throws(Mistake) {
    try self.key()
    try self.expect("=", "after the key")
    try self.skip(newlines: false)
    try self.value()
  }

  /// A dotted key with the blanks around it.
  private mutating func key() throws(Mistake) {
    var parts = 0
    repeat {
      parts += 1
      if parts > TOMLSyntax.depthLimit { throw self.mistake("the key has too many parts") }
      try self.skip(newlines: false)
      switch self.current {
      case UInt8(ascii: "\""), UInt8(ascii: "'"): try self.shortString()
      default:
        let start = self.index
        while let byte = self.current, self.isBare(byte) { self.index += 1 }
        if self.index == start { throw self.mistake("expected a key, found \(self.found)") }
      }
      try self.skip(newlines: false)
    } while self.take(".")
  }

  private mutating func value() throws(Mistake) {
    self.depth += 1
    defer { self.depth -= 1 }
    if self.depth > TOMLSyntax.depthLimit { throw self.mistake("values are nested too deeply") }
    switch self.current {
    case UInt8(ascii: "["): try self.array()
    case UInt8(ascii: "{"): try self.inlineTable()
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      if self.startsLongString { try self.longString() } else { try self.shortString() }
    default: try self.scalar()
    }
  }

  private mutating func array() throws(Mistake) {
    self.index += 1
    while true {
      try self.skip(newlines: true)
      if self.take("]") { return }
      try self.value()
      try self.skip(newlines: true)
      if self.take(",") { continue }
      if self.take("]") { return }
      throw self.mistake("expected \",\" or \"]\" in the array, found \(self.found)")
    }
  }

  private mutating func inlineTable() throws(Mistake) {
    self.index += 1
    try self.skip(newlines: false)
    if self.take("}") { return }
    while true {
      try self.assignment()
      try self.skip(newlines: false)
      if self.take("}") { return }
      guard self.take(",") else {
        throw self.mistake("expected \",\" or \"}\" in the inline table, found \(self.found)")
      }
    }
  }

  /// A number, boolean, date or time.
  private mutating func scalar() throws(Mistake) {
    let start = self.index
    while true {
      while let byte = self.current, self.isScalar(byte) { self.index += 1 }
      // A date and a time may stand apart.
      let date = self.bytes[start..<self.index]
      guard date.count == 10, date[start + 4] == UInt8(ascii: "-"), self.current == UInt8(ascii: " "),
        let next = self.byte(after: 1), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next)
      else { break }
      self.index += 1
    }
    if self.index == start { throw self.mistake("expected a value, found \(self.found)") }
    guard TOMLScalar.isWellFormed(self.bytes[start..<self.index]) else {
      throw self.mistake("what stands here is no number, boolean or date; text needs quotes")
    }
  }

  // MARK: Strings

  private var startsLongString: Bool {
    guard let quote = self.current else { return false }
    return self.byte(after: 1) == quote && self.byte(after: 2) == quote
  }

  private mutating func shortString() throws(Mistake) {
    guard let quote = self.current else { return }
    self.index += 1
    while let byte = self.current, byte != UInt8(ascii: "\n") {
      self.index += 1
      if byte == quote { return }
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\""), self.current != UInt8(ascii: "\n"),
        self.current != nil
      {
        self.index += 1
      }
    }
    throw self.mistake("the string has no end on its line")
  }

  private mutating func longString() throws(Mistake) {
    guard let quote = self.current else { return }
    let firstLine = self.line
    self.index += 3
    while let byte = self.current {
      if byte == UInt8(ascii: "\n") { self.line += 1 }
      if byte == quote, self.startsLongString {
        self.index += 3
        // Up to two quotes of the text may stand before the closing three.
        for _ in 0..<2 where self.current == quote { self.index += 1 }
        return
      }
      self.index += 1
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\""), self.current != UInt8(ascii: "\n"),
        self.current != nil
      {
        self.index += 1
      }
    }
    throw Mistake(line: firstLine, message: "the string that begins here has no end")
  }

  // MARK: Bytes

  private var current: UInt8? { self.byte(after: 0) }

  private func byte(after distance: Int) -> UInt8? {
    self.index + distance < self.bytes.count ? self.bytes[self.index + distance] : nil
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard self.current == UInt8(ascii: character) else { return false }
    self.index += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar, _ purpose: String) throws(Mistake) {
    guard self.take(character) else {
      throw self.mistake("expected \"\(character)\" \(purpose), found \(self.found)")
    }
  }

  /// Blanks and, at the end of a line, a comment; with newlines, any number of lines.
  private mutating func skip(newlines: Bool) throws(Mistake) {
    while let byte = self.current {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"): self.index += 1
      case UInt8(ascii: "\r") where self.byte(after: 1) == UInt8(ascii: "\n"): self.index += 1
      case UInt8(ascii: "\n"):
        guard newlines else { return }
        self.line += 1
        self.index += 1
      case UInt8(ascii: "#"):
        while let byte = self.current, byte != UInt8(ascii: "\n") { self.index += 1 }
      default: return
      }
    }
  }

  private func isBare(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  private func isScalar(_ byte: UInt8) -> Bool {
    self.isBare(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
  }

  private var found: String {
    self.current.map { self.shown($0) } ?? "the end of the file"
  }

  private func shown(_ byte: UInt8) -> String {
    switch byte {
    case UInt8(ascii: "\n"): "the end of the line"
    case 0x21...0x7e: "\"\(UnicodeScalar(byte))\""
    default: "the byte 0x\(String(byte, radix: 16))"
    }
  }

  private func mistake(_ message: String) -> Mistake {
    Mistake(line: self.line, message: message)
  }
}
