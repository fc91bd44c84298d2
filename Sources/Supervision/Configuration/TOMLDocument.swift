internal import ProcCtl
internal import TOMLKit

/// A value of a TOML document together with its line, and everything in it.
///
/// This is what the rest of the configuration reads; the library that parsed the text does not
/// show beyond this file.
struct TOMLNode: Sendable {
  enum Value: Sendable {
    case string(String)
    case integer(Int)
    case float(Double)
    case boolean(Bool)
    /// A date, a time or both; nothing here has a use for them.
    case date
    case array([TOMLNode])
    /// Members in the order of their first appearance.
    case table([(key: String, node: TOMLNode)])
  }

  var value: Value
  /// The line of its key, or of the element itself in an array; counted from 1.
  var line: Int

  /// What it is, with its article: `a string`.
  var kind: String {
    switch self.value {
    case .string: "a string"
    case .integer: "an integer"
    case .float: "a floating-point number"
    case .boolean: "a boolean"
    case .date: "a date or time"
    case .array: "an array"
    case .table: "a table"
    }
  }

  /// Its members if it is a table, in the order of their first appearance; none for any other value.
  var members: [(key: String, node: TOMLNode)] {
    if case .table(let members) = self.value { members } else { [] }
  }

  /// The member of this name, if it is a table and has one.
  subscript(key: String) -> TOMLNode? {
    self.members.first { $0.key == key }?.node
  }
}

/// A TOML text, parsed.
struct TOMLDocument {
  var root: TOMLNode

  /// Parses the text.
  ///
  /// - Throws: `ConfigurationError` with the file's name and the line of the first mistake in the syntax,
  ///   or of every character zero, which TOML knows how to write and execve(2) could not pass on.
  init(text: String, fileName: String) throws(ConfigurationError) {
    func problem(_ line: Int, _ message: String) -> ConfigurationError.Problem {
      ConfigurationError.Problem(file: fileName, line: line, message: message)
    }
    let lineCount = 1 + text.utf8.count { $0 == UInt8(ascii: "\n") }
    // The library takes a C string: it would silently end there.
    if let zero = text.utf8.firstIndex(of: 0) {
      let line = 1 + text.utf8[..<zero].count { $0 == UInt8(ascii: "\n") }
      throw ConfigurationError(problems: [problem(line, TOMLDocument.zeroMessage)])
    }
    if let mistake = TOMLSyntax.mistake(in: text) {
      throw ConfigurationError(problems: [problem(min(mistake.line, lineCount), mistake.message)])
    }
    let table: TOMLTable
    do {
      table = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      let line = min(max(error.source.begin.line, 1), lineCount)
      throw ConfigurationError(problems: [problem(line, TOMLDocument.oneLine(error.description))])
    } catch {
      throw ConfigurationError(problems: [problem(1, "is not valid TOML")])
    }
    let locator = TOMLLocator(text)
    guard locator.linesOfZeroEscapes.isEmpty else {
      throw ConfigurationError(
        problems: locator.linesOfZeroEscapes.map { problem($0, TOMLDocument.zeroMessage) })
    }
    self.root = TOMLDocument.node(of: table, at: TOMLLocator.root, line: 1, in: locator)
  }

  private static let zeroMessage = "the character zero cannot be part of a configuration"

  /// The library's words on one line, without what a terminal might act on or nobody could see.
  private static func oneLine(_ text: String) -> String {
    var line = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n", "\r", "\t": line += " "
      case "\\": line += "\\"
      default: line += PrintableText.escaping(String(scalar).utf8)
      }
    }
    return line
  }

  private static func node(
    of value: any TOMLValueConvertible, at place: TOMLLocator.Identifier?, line: Int, in locator: TOMLLocator
  ) -> TOMLNode {
    func nested(_ value: any TOMLValueConvertible, at place: TOMLLocator.Identifier?) -> TOMLNode {
      self.node(of: value, at: place, line: place.map(locator.line(of:)) ?? line, in: locator)
    }
    switch value.type {
    case .string: return TOMLNode(value: .string(value.string ?? ""), line: line)
    case .int: return TOMLNode(value: .integer(value.int ?? 0), line: line)
    case .double: return TOMLNode(value: .float(value.double ?? 0), line: line)
    case .bool: return TOMLNode(value: .boolean(value.bool ?? false), line: line)
    case .date, .time, .dateTime: return TOMLNode(value: .date, line: line)
    case .array:
      guard let array = value.array else { return TOMLNode(value: .array([]), line: line) }
      let elements = (0..<array.count).map { index in
        nested(array[index], at: place.flatMap { locator.element(index, of: $0) })
      }
      return TOMLNode(value: .array(elements), line: line)
    case .table:
      guard let table = value.table else { return TOMLNode(value: .table([]), line: line) }
      // The library sorts by name; identifiers of places grow with the order of appearance.
      let members = table.keys.map { key in
        (key: key, place: place.flatMap { locator.member(key, of: $0) })
      }
      let inOrder = members.sorted { ($0.place ?? .max, $0.key) < ($1.place ?? .max, $1.key) }
      return TOMLNode(
        value: .table(
          inOrder.compactMap { member in
            table[member.key].map { (key: member.key, node: nested($0, at: member.place)) }
          }), line: line)
    }
  }
}
