/// A piece of XML 1.0 as a value: a name, attributes in their order, and what is inside. Written out, it is
/// well formed whatever the texts hold.
struct XMLElement: Sendable, Equatable {
  private enum Content: Sendable, Equatable {
    case text(String)
    case element(XMLElement)
  }

  let name: StaticName
  private var attributes: [(name: StaticName, value: String)]
  private var content: [Content] = []

  /// A name that stands in the source, and so is one.
  struct StaticName: Sendable, Equatable, ExpressibleByStringLiteral, CustomStringConvertible {
    let description: String

    init(stringLiteral value: StaticString) { self.description = "\(value)" }
  }

  init(_ name: StaticName, _ attributes: KeyValuePairs<StaticName, String> = [:], text: String? = nil) {
    self.name = name
    self.attributes = attributes.map { ($0.key, $0.value) }
    if let text { self.content = [.text(text)] }
  }

  mutating func add(_ element: XMLElement) { self.content.append(.element(element)) }

  func adding(_ elements: XMLElement...) -> XMLElement {
    var copy = self
    for element in elements { copy.add(element) }
    return copy
  }

  /// As a document, an element on each line.
  var document: String {
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    self.write(to: &text, depth: 0)
    return text
  }

  private func write(to text: inout String, depth: Int) {
    text += String(repeating: " ", count: depth) + "<\(self.name)"
    for (name, value) in self.attributes { text += " \(name)=\"\(Self.escaped(value))\"" }
    if self.content.isEmpty { return text += "/>\n" }
    text += ">"
    var isInline = true
    for piece in self.content {
      switch piece {
      case .text(let string): text += Self.escaped(string)
      case .element(let element):
        if isInline { text += "\n" }
        isInline = false
        element.write(to: &text, depth: depth + 1)
      }
    }
    if !isInline { text += String(repeating: " ", count: depth) }
    text += "</\(self.name)>\n"
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      // No character of XML 1.0, not even escaped; and what would be made a blank in an attribute.
      case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  static func == (left: XMLElement, right: XMLElement) -> Bool {
    left.name == right.name && left.content == right.content
      && left.attributes.elementsEqual(right.attributes) { $0.name == $1.name && $0.value == $1.value }
  }
}
