/// Whether text for people is coloured, and how.
package enum TextStyle: Sendable {
  case plain
  case coloured

  enum Colour: String {
    case bold = "1"
    case red = "31"
    case yellow = "33"
    case green = "32"
  }

  func paint(_ text: String, _ colour: Colour?) -> String {
    guard self == .coloured, let colour, !text.isEmpty else { return text }
    return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
  }
}
