internal import ProcCtl
internal import SystemPackage

/// Reads typed values out of a document and collects everything that is wrong on the way.
///
/// A value that is wrong reads as nil, like one that is absent; the problem is on record, so
/// nothing built from it leaves the reader.
struct ConfigurationReader {
  /// The file as it was named to us.
  let fileName: String
  /// Relative paths start here.
  let directory: FilePath
  let environment: [String: String]
  /// What this version refuses.
  let unavailable: [ConfigurationKey.Unavailable]
  var problems: [ConfigurationError.Problem] = []

  init(
    fileName: String, directory: FilePath, environment: [String: String],
    unavailable: [ConfigurationKey.Unavailable]
  ) {
    self.fileName = fileName
    self.directory = directory
    self.environment = environment
    self.unavailable = unavailable
  }

  mutating func report(_ line: Int, _ message: String) {
    self.problems.append(ConfigurationError.Problem(file: self.fileName, line: line, message: message))
  }

  /// The table without the members that cannot be used, each of which is reported.
  ///
  /// - Parameter place: the table's name in `ConfigurationKey.unavailable`.
  mutating func admit(_ table: TOMLNode, keys: [String], place: String = "") -> TOMLNode {
    var admitted: [(key: String, node: TOMLNode)] = []
    for (key, node) in table.members {
      guard keys.contains(key) else {
        self.report(node.line, self.unknown("key", key, among: keys))
        continue
      }
      let refused = self.unavailable.first { refusal in
        guard refusal.table == place, refusal.key == key else { return false }
        if case .string(let text) = node.value { return refusal.covers(text) }
        return refusal.value == nil
      }
      if refused?.value != nil, case .string(let text) = node.value {
        self.report(node.line, "\(key) = \(self.quoted(text)) is not available in this version")
      } else if refused != nil {
        self.report(node.line, "\"\(key)\" is not available in this version")
      } else {
        admitted.append((key, node))
      }
    }
    return TOMLNode(value: .table(admitted), line: table.line)
  }

  /// `unknown key "comand", did you mean "command"?`, or what there is to choose from.
  func unknown(_ thing: String, _ word: String, among candidates: [String]) -> String {
    let message = "unknown \(thing) \(self.quoted(word))"
    if let nearest = Spelling.nearest(to: word, among: candidates) {
      return message + ", did you mean \"\(nearest)\"?"
    }
    return candidates.count <= 8 ? message + ": there is \(self.list(candidates, "and"))" : message
  }

  /// `"a", "b" or "c"`.
  func list(_ words: [String], _ conjunction: String) -> String {
    let quoted = words.map { "\"\($0)\"" }
    guard let last = quoted.last, quoted.count > 1 else { return quoted.first ?? "" }
    return quoted.dropLast().joined(separator: ", ") + " \(conjunction) " + last
  }

  /// The text in quotes, short enough for a message, without what a terminal might act on or nobody could see.
  func quoted(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(80) {
      result += scalar == "\"" ? "\\\"" : PrintableText.escaping(String(scalar).utf8)
    }
    return "\"\(result)\(text.unicodeScalars.count > 80 ? "…" : "")\""
  }

  /// Reports that the value is not what it must be.
  mutating func mismatch(_ key: String, _ node: TOMLNode, mustBe expectation: String) {
    self.report(node.line, "\"\(key)\" must be \(expectation), not \(node.kind)")
  }

  mutating func string(_ key: String, in table: TOMLNode, mustBe expectation: String = "a string") -> String?
  {
    guard let node = table[key] else { return nil }
    guard case .string(let text) = node.value else {
      self.mismatch(key, node, mustBe: expectation)
      return nil
    }
    return text
  }

  /// A string that stands for something; reported with the value if it does not.
  mutating func string<Value>(
    _ key: String, in table: TOMLNode, mustBe expectation: String, as convert: (String) -> Value?
  ) -> Value? {
    guard let node = table[key], let text = self.string(key, in: table, mustBe: expectation) else {
      return nil
    }
    if let value = convert(text) { return value }
    self.report(node.line, "\"\(key)\" must be \(expectation), not \(self.quoted(text))")
    return nil
  }

  /// One of a few words.
  mutating func choice<Value: RawRepresentable<String> & CaseIterable>(
    _ key: String, in table: TOMLNode, as type: Value.Type = Value.self
  ) -> Value? {
    self.string(
      key, in: table, mustBe: self.list(Value.allCases.map(\.rawValue), "or"), as: Value.init(rawValue:))
  }

  mutating func integer(_ key: String, in table: TOMLNode, range: ClosedRange<Int>) -> Int? {
    guard let node = table[key] else { return nil }
    let expectation = "an integer from \(range.lowerBound) to \(range.upperBound)"
    guard case .integer(let number) = node.value else {
      self.mismatch(key, node, mustBe: expectation)
      return nil
    }
    guard range.contains(number) else {
      self.report(node.line, "\"\(key)\" must be \(expectation), not \(number)")
      return nil
    }
    return number
  }

  mutating func boolean(_ key: String, in table: TOMLNode) -> Bool? {
    guard let node = table[key] else { return nil }
    guard case .boolean(let value) = node.value else {
      self.mismatch(key, node, mustBe: "true or false")
      return nil
    }
    return value
  }

  /// A duration as text, or a number of seconds.
  mutating func duration(_ key: String, in table: TOMLNode) -> Duration? {
    guard let node = table[key] else { return nil }
    let text: String
    switch node.value {
    case .string(let value): text = value
    case .integer(let value): text = "\(value)"
    case .float(let value): text = "\(value)"
    default:
      self.mismatch(key, node, mustBe: "a duration such as \"10s\"")
      return nil
    }
    do {
      return try Duration(text: text)
    } catch {
      let shown = DurationTextError(
        text: String(self.quoted(text).dropFirst().dropLast()), reason: error.reason)
      self.report(node.line, "\"\(key)\": \(shown)")
      return nil
    }
  }

  /// A path, made absolute.
  mutating func path(_ key: String, in table: TOMLNode) -> FilePath? {
    self.string(key, in: table, mustBe: "a path") { $0.isEmpty ? nil : FilePath($0) }.map(self.absolute)
  }

  func absolute(_ path: FilePath) -> FilePath {
    path.isRelative ? self.directory.pushing(path) : path
  }

  /// The elements of an array of strings, each with its line.
  mutating func strings(_ key: String, in table: TOMLNode) -> [(text: String, line: Int)]? {
    guard let node = table[key] else { return nil }
    guard case .array(let elements) = node.value else {
      self.mismatch(key, node, mustBe: "an array of strings")
      return nil
    }
    var strings: [(text: String, line: Int)] = []
    for element in elements {
      guard case .string(let text) = element.value else {
        self.report(element.line, "\"\(key)\" must be an array of strings, without \(element.kind)")
        return nil
      }
      strings.append((text, element.line))
    }
    return strings
  }

  /// An array of strings that names a program: not empty, and neither is the first.
  mutating func command(_ key: String, in table: TOMLNode) -> [(text: String, line: Int)]? {
    guard let node = table[key], let strings = self.strings(key, in: table) else { return nil }
    guard let program = strings.first, !program.text.isEmpty else {
      self.report(node.line, "\"\(key)\" must begin with the program to run, and it is empty")
      return nil
    }
    return strings
  }

  /// A table; `expectation` says what it must be if it is something else.
  mutating func table(_ key: String, in table: TOMLNode, mustBe expectation: String = "a table") -> TOMLNode?
  {
    guard let node = table[key] else { return nil }
    guard case .table = node.value else {
      self.mismatch(key, node, mustBe: expectation)
      return nil
    }
    return node
  }

  /// An array of tables.
  mutating func tables(_ key: String, in table: TOMLNode, mustBe expectation: String) -> [TOMLNode]? {
    guard let node = table[key] else { return nil }
    guard case .array(let elements) = node.value else {
      self.mismatch(key, node, mustBe: expectation)
      return nil
    }
    var tables: [TOMLNode] = []
    for element in elements {
      guard case .table = element.value else {
        self.report(element.line, "\"\(key)\" must be \(expectation), without \(element.kind)")
        continue
      }
      tables.append(element)
    }
    return tables
  }
}
