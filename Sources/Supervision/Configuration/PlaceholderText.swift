/// Text with places to be filled in: `{port}`, `{name}`, `{path}` and `{fd}`; `{{` stands for `{`.
///
/// A configuration fills in all but `{fd}`, which is known only when the worker is spawned. A string
/// literal stands for itself, braces and all.
public struct PlaceholderText: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  enum Part: Sendable, Hashable {
    case text(String)
    case placeholder(Placeholder)
  }

  /// What can be filled in.
  enum Placeholder: String, Sendable, Hashable, CaseIterable {
    case port
    case name
    case path
    case descriptor = "fd"
  }

  /// Why a text is refused.
  enum Failure: Error, Equatable {
    case unknown(String)
    case notHere(Placeholder)
    case unclosed
  }

  var parts: [Part]

  /// Text that stands for itself, without places.
  public init(_ text: String) {
    self.parts = text.isEmpty ? [] : [.text(text)]
  }

  /// Takes the literal as it is, braces and all.
  public init(stringLiteral value: String) {
    self.init(value)
  }

  /// Reads text with placeholders.
  init(parsing text: String, allowed: Set<Placeholder>) throws(Failure) {
    self.parts = []
    var literal = ""
    var rest = Substring(text)
    while let brace = rest.firstIndex(of: "{") {
      literal += rest[..<brace]
      rest = rest[rest.index(after: brace)...]
      if rest.first == "{" {
        literal += "{"
        rest = rest.dropFirst()
        continue
      }
      guard let end = rest.firstIndex(of: "}") else { throw .unclosed }
      let name = String(rest[..<end])
      guard let placeholder = Placeholder(rawValue: name) else { throw .unknown(name) }
      guard allowed.contains(placeholder) else { throw .notHere(placeholder) }
      self.parts += literal.isEmpty ? [] : [.text(literal)]
      self.parts.append(.placeholder(placeholder))
      literal = ""
      rest = rest[rest.index(after: end)...]
    }
    literal += rest
    if !literal.isEmpty { self.parts.append(.text(literal)) }
  }

  /// Whether the descriptor has to be filled in.
  public var needsDescriptor: Bool { self.uses(.descriptor) }

  func uses(_ placeholder: Placeholder) -> Bool {
    self.parts.contains(.placeholder(placeholder))
  }

  /// The text with the values filled in; places without a value stay.
  func filling(_ values: [Placeholder: String]) -> PlaceholderText {
    var result = PlaceholderText("")
    var literal = ""
    for part in self.parts {
      switch part {
      case .text(let text): literal += text
      case .placeholder(let placeholder):
        if let value = values[placeholder] {
          literal += value
        } else {
          if !literal.isEmpty { result.parts.append(.text(literal)) }
          result.parts.append(part)
          literal = ""
        }
      }
    }
    if !literal.isEmpty { result.parts.append(.text(literal)) }
    return result
  }

  /// The text with the number of the descriptor filled in.
  public func text(descriptor: Int32?) -> String {
    self.filling(descriptor.map { [.descriptor: "\($0)"] } ?? [:]).description
  }

  /// The text, with the names of places that are still open.
  public var description: String {
    self.parts.map { part in
      switch part {
      case .text(let text): text
      case .placeholder(let placeholder): "{\(placeholder.rawValue)}"
      }
    }.joined()
  }
}
