/// Finds the line on which each key and each array element of a TOML document stands.
///
/// The TOML library hands out values without their places. This walks the text once, knows just
/// enough of the grammar not to be fooled (strings of four kinds, comments, inline tables, dotted
/// and quoted keys, arrays of tables), and remembers lines and the order of appearance. It is meant
/// for documents the library has accepted; of others it locates what it can and never fails.
package struct TOMLLocator: Sendable {
  /// One step from a table to what is in it.
  package enum Step: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case key(String)
    case index(Int)

    package init(stringLiteral value: String) { self = .key(value) }
    package init(integerLiteral value: Int) { self = .index(value) }
  }

  /// A table, array or value of the document; the root table has identifier 0, and identifiers grow
  /// with the order of first appearance.
  package typealias Identifier = Int

  fileprivate struct Place: Sendable {
    var line: Int
    var members: [String: Identifier] = [:]
    var elements: [Identifier] = []
    var isArrayOfTables = false
  }

  fileprivate var places: [Place] = [Place(line: 1)]
  /// Lines with an escape for the character zero, which no string that reaches the kernel can hold.
  package fileprivate(set) var linesOfZeroEscapes: [Int] = []

  package static let root: Identifier = 0

  package init(_ text: String) {
    var scanner = TOMLScanner(bytes: Array(text.utf8))
    scanner.scanDocument()
    self = scanner.locator
  }

  fileprivate init() {}

  /// The member of a table, by its key.
  package func member(_ key: String, of table: Identifier) -> Identifier? {
    self.places[table].members[key]
  }

  /// The element of an array, counted from 0.
  package func element(_ index: Int, of array: Identifier) -> Identifier? {
    let elements = self.places[array].elements
    return elements.indices.contains(index) ? elements[index] : nil
  }

  /// The line of what has this identifier, counted from 1.
  package func line(of identifier: Identifier) -> Int {
    self.places[identifier].line
  }

  /// The line of what the path leads to, counted from 1; nil if there is no such thing.
  package func line(of path: [Step]) -> Int? {
    var current = TOMLLocator.root
    for step in path {
      let next =
        switch step {
        case .key(let key): self.member(key, of: current)
        case .index(let index): self.element(index, of: current)
        }
      guard let next else { return nil }
      current = next
    }
    return self.line(of: current)
  }
}

private let newline = UInt8(ascii: "\n")
private let quote = UInt8(ascii: "\"")
private let apostrophe = UInt8(ascii: "'")
private let backslash = UInt8(ascii: "\\")

private struct TOMLScanner {
  let bytes: [UInt8]
  var position = 0
  var line = 1
  var locator = TOMLLocator()
  /// The library refuses deeper nesting; the limit keeps hostile text from exhausting the stack.
  var depthLeft = 300

  init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  private var current: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

  private mutating func advance() {
    guard let byte = self.current else { return }
    if byte == newline { self.line += 1 }
    self.position += 1
  }

  private func startsWith(_ byte: UInt8, times: Int) -> Bool {
    self.position + times <= self.bytes.count
      && self.bytes[self.position..<self.position + times].allSatisfy { $0 == byte }
  }

  private mutating func skipBlanks() {
    while let byte = self.current, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { self.advance() }
  }

  private mutating func skipToEndOfLine() {
    while let byte = self.current, byte != newline { self.advance() }
  }

  /// Skips blanks, line ends and comments.
  private mutating func skipFiller() {
    while let byte = self.current {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), newline: self.advance()
      case UInt8(ascii: "#"): self.skipToEndOfLine()
      default: return
      }
    }
  }

  mutating func scanDocument() {
    if self.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { self.position = 3 }
    var table = TOMLLocator.root
    while true {
      self.skipFiller()
      guard let byte = self.current else { return }
      let before = self.position
      if byte == UInt8(ascii: "[") {
        table = self.scanHeader()
      } else {
        self.scanPair(in: table)
      }
      self.skipBlanks()
      if self.current == UInt8(ascii: "#") { self.skipToEndOfLine() }
      // No statement found: move on all the same.
      if self.position == before { self.advance() }
    }
  }

  /// Reads `[a.b]` or `[[a.b]]` and returns the table it opens.
  private mutating func scanHeader() -> TOMLLocator.Identifier {
    let line = self.line
    self.advance()
    let opensElement = self.current == UInt8(ascii: "[")
    if opensElement { self.advance() }
    let keys = self.scanDottedKey()
    self.skipToEndOfLine()
    var table = TOMLLocator.root
    for (index, key) in keys.enumerated() {
      table = self.enter(key, of: table, line: line)
      let isLast = index == keys.count - 1
      if isLast && opensElement {
        self.locator.places[table].isArrayOfTables = true
        table = self.appendElement(to: table, line: line)
      } else if self.locator.places[table].isArrayOfTables,
        let last = self.locator.places[table].elements.last
      {
        table = last
      }
    }
    return table
  }

  private mutating func scanPair(in table: TOMLLocator.Identifier) {
    let line = self.line
    let keys = self.scanDottedKey()
    guard !keys.isEmpty else { return }
    var place = table
    for key in keys { place = self.enter(key, of: place, line: line) }
    self.skipBlanks()
    guard self.current == UInt8(ascii: "=") else { return }
    self.advance()
    self.scanValue(at: place)
  }

  /// The member of this name, made if it is new.
  private mutating func enter(
    _ key: String, of table: TOMLLocator.Identifier, line: Int
  ) -> TOMLLocator.Identifier {
    if let known = self.locator.places[table].members[key] { return known }
    let identifier = self.locator.places.count
    self.locator.places.append(TOMLLocator.Place(line: line))
    self.locator.places[table].members[key] = identifier
    return identifier
  }

  private mutating func appendElement(
    to array: TOMLLocator.Identifier, line: Int
  ) -> TOMLLocator.Identifier {
    let identifier = self.locator.places.count
    self.locator.places.append(TOMLLocator.Place(line: line))
    self.locator.places[array].elements.append(identifier)
    return identifier
  }

  private mutating func scanDottedKey() -> [String] {
    var keys: [String] = []
    while true {
      self.skipBlanks()
      guard let key = self.scanSimpleKey() else { return keys }
      keys.append(key)
      self.skipBlanks()
      guard self.current == UInt8(ascii: ".") else { return keys }
      self.advance()
    }
  }

  private mutating func scanSimpleKey() -> String? {
    switch self.current {
    case quote, apostrophe: return self.scanString()
    default:
      let start = self.position
      while let byte = self.current, isBareKeyByte(byte) { self.advance() }
      guard self.position > start else { return nil }
      return String(decoding: self.bytes[start..<self.position], as: UTF8.self)
    }
  }

  private mutating func scanValue(at place: TOMLLocator.Identifier) {
    self.skipBlanks()
    guard self.depthLeft > 0 else { return self.position = self.bytes.count }
    self.depthLeft -= 1
    defer { self.depthLeft += 1 }
    switch self.current {
    case quote, apostrophe: _ = self.scanString()
    case UInt8(ascii: "["): self.scanArray(at: place)
    case UInt8(ascii: "{"): self.scanInlineTable(at: place)
    default: self.scanScalar()
    }
  }

  /// A number, a boolean or a date: everything up to what ends a value.
  private mutating func scanScalar() {
    while let byte = self.current {
      switch byte {
      case newline, UInt8(ascii: "#"), UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"): return
      default: self.advance()
      }
    }
  }

  private mutating func scanArray(at place: TOMLLocator.Identifier) {
    self.advance()
    while true {
      self.skipFiller()
      guard let byte = self.current else { return }
      switch byte {
      case UInt8(ascii: "]"): return self.advance()
      case UInt8(ascii: ","): self.advance()
      default:
        let before = self.position
        let element = self.appendElement(to: place, line: self.line)
        self.scanValue(at: element)
        if self.position == before { self.advance() }
      }
    }
  }

  private mutating func scanInlineTable(at place: TOMLLocator.Identifier) {
    self.advance()
    while true {
      self.skipFiller()
      guard let byte = self.current else { return }
      switch byte {
      case UInt8(ascii: "}"): return self.advance()
      case UInt8(ascii: ","): self.advance()
      default:
        let before = self.position
        self.scanPair(in: place)
        if self.position == before { self.advance() }
      }
    }
  }

  /// Reads a string of any of the four kinds, and returns what it says.
  private mutating func scanString() -> String {
    guard let delimiter = self.current else { return "" }
    let isLong = self.startsWith(delimiter, times: 3)
    for _ in 0..<(isLong ? 3 : 1) { self.advance() }
    var content: [UInt8] = []
    while let byte = self.current {
      if byte == delimiter {
        guard isLong else {
          self.advance()
          break
        }
        if self.startsWith(delimiter, times: 3) {
          // Up to two more quotes belong to the text, not to its end.
          var extra = 0
          while extra < 2, self.startsWith(delimiter, times: 4) {
            content.append(delimiter)
            self.advance()
            extra += 1
          }
          for _ in 0..<3 { self.advance() }
          break
        }
      } else if byte == newline, !isLong {
        break
      } else if byte == backslash, delimiter == quote {
        self.scanEscape(into: &content)
        continue
      }
      content.append(byte)
      self.advance()
    }
    return String(decoding: content, as: UTF8.self)
  }

  private mutating func scanEscape(into content: inout [UInt8]) {
    self.advance()
    guard let kind = self.current else { return }
    let line = self.line
    self.advance()
    let digits: Int
    switch kind {
    case UInt8(ascii: "b"): return content.append(0x08)
    case UInt8(ascii: "t"): return content.append(0x09)
    case UInt8(ascii: "n"): return content.append(0x0A)
    case UInt8(ascii: "f"): return content.append(0x0C)
    case UInt8(ascii: "r"): return content.append(0x0D)
    case UInt8(ascii: "e"): return content.append(0x1B)
    case UInt8(ascii: "x"): digits = 2
    case UInt8(ascii: "u"): digits = 4
    case UInt8(ascii: "U"): digits = 8
    case newline, UInt8(ascii: "\r"): return
    default: return content.append(kind)
    }
    let text = String(decoding: self.bytes[self.position...].prefix(digits), as: UTF8.self)
    guard let number = UInt32(text, radix: 16), let scalar = Unicode.Scalar(number) else { return }
    if number == 0 { self.locator.linesOfZeroEscapes.append(line) }
    content.append(contentsOf: Character(scalar).utf8)
    for _ in 0..<digits { self.advance() }
  }
}

private func isBareKeyByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
  // Beyond ASCII only in drafts of the format, but no harm in following.
  default: byte >= 0x80
  }
}
