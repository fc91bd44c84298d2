/// One argument of a tool: the source of both its schema and its check.
package struct ToolParameter: Sendable {
  package enum Kind: Sendable {
    case string(maximumLength: Int)
    case integer(ClosedRange<Int>)
    case boolean
  }

  package var name: String
  package var kind: Kind
  package var isRequired: Bool
  package var summary: String

  package init(_ name: String, _ kind: Kind, required isRequired: Bool = false, _ summary: String) {
    self.name = name
    self.kind = kind
    self.isRequired = isRequired
    self.summary = summary
  }

  package static let revision = ToolParameter(
    "revision", .string(maximumLength: 1024),
    "A branch, tag, commit id or other git revision; HEAD if left out.")
  package static let file = ToolParameter(
    "path", .string(maximumLength: 4096), required: true, "The file, relative to the repository's root.")
  package static let firstLine = ToolParameter(
    "start_line", .integer(1...100_000_000), "The first line to return, counted from 1.")
  package static let lastLine = ToolParameter(
    "end_line", .integer(1...100_000_000), "The last line to return.")

  /// The JSON schema of an object with these members.
  package static func schema(_ parameters: [ToolParameter]) -> JSONValue {
    var properties: [String: JSONValue] = [:]
    for parameter in parameters {
      switch parameter.kind {
      case .string(let maximumLength):
        properties[parameter.name] = [
          "type": "string", "maxLength": .integer(Int64(maximumLength)),
          "description": .string(parameter.summary),
        ]
      case .integer(let range):
        properties[parameter.name] = [
          "type": "integer", "minimum": .integer(Int64(range.lowerBound)),
          "maximum": .integer(Int64(range.upperBound)), "description": .string(parameter.summary),
        ]
      case .boolean:
        properties[parameter.name] = ["type": "boolean", "description": .string(parameter.summary)]
      }
    }
    return [
      "type": "object", "properties": .object(properties),
      "required": .array(parameters.filter(\.isRequired).map { .string($0.name) }),
      "additionalProperties": false,
    ]
  }
}

/// Arguments do not fit a tool's schema.
package struct InvalidArguments: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String

  package init(description: String) {
    self.description = description
  }
}

/// Arguments that fit a tool's schema.
package struct ToolArguments: Sendable {
  private var values: [String: JSONValue] = [:]

  /// - Throws: `InvalidArguments` naming the first argument that does not fit.
  package init(_ value: JSONValue?, for parameters: [ToolParameter]) throws(InvalidArguments) {
    let members: [String: JSONValue]
    switch value {
    case nil: members = [:]
    case .object(let object)?: members = object
    default: throw InvalidArguments(description: "arguments must be an object")
    }
    for name in members.keys.sorted() where !parameters.contains(where: { $0.name == name }) {
      throw InvalidArguments(description: "unknown argument \"\(name)\"")
    }
    for parameter in parameters {
      guard let value = members[parameter.name] else {
        if parameter.isRequired {
          throw InvalidArguments(description: "argument \"\(parameter.name)\" is missing")
        }
        continue
      }
      self.values[parameter.name] = try ToolArguments.checked(value, parameter)
    }
  }

  private static func checked(
    _ value: JSONValue, _ parameter: ToolParameter
  ) throws(InvalidArguments) -> JSONValue {
    switch (parameter.kind, value) {
    case (.string(let maximumLength), .string(let string)):
      guard string.unicodeScalars.count <= maximumLength else {
        throw InvalidArguments(
          description: "argument \"\(parameter.name)\" is longer than \(maximumLength) characters")
      }
      guard !string.utf8.contains(0) else {
        throw InvalidArguments(description: "argument \"\(parameter.name)\" contains a zero byte")
      }
      return value
    case (.integer(let range), _):
      // 3.0 is an integer for JSON Schema.
      var integer = value.integerValue
      if case .number(let number) = value { integer = Int64(exactly: number) }
      guard let integer, range.contains(Int(integer)) else {
        throw InvalidArguments(
          description:
            "argument \"\(parameter.name)\" must be an integer from \(range.lowerBound) to \(range.upperBound)"
        )
      }
      return .integer(integer)
    case (.boolean, .boolean): return value
    case (.string, _):
      throw InvalidArguments(description: "argument \"\(parameter.name)\" must be a string")
    case (.boolean, _):
      throw InvalidArguments(description: "argument \"\(parameter.name)\" must be true or false")
    }
  }

  package func string(_ name: String) -> String? { self.values[name]?.stringValue }
  package func integer(_ name: String) -> Int? { self.values[name]?.integerValue.map { Int($0) } }
  package func flag(_ name: String, default isOn: Bool = false) -> Bool {
    self.values[name].map { $0 == .boolean(true) } ?? isOn
  }

  /// The path argument; the root if it was left out.
  package func path() throws(ToolError) -> RepositoryPath {
    guard let string = self.string("path") else { return .root }
    return try RepositoryPath(string)
  }

  /// The revision argument; HEAD if it was left out.
  package func revision() throws(ToolError) -> Revision {
    guard let string = self.string("revision") else { return .head }
    return try Revision(string)
  }
}
