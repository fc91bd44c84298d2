/// The path of a file or directory inside the repository: relative, without `.` and `..`.
package struct RepositoryPath: Hashable, Sendable, CustomStringConvertible {
  /// The path as git knows it; empty for the root.
  package let description: String

  package static let root = RepositoryPath(normalised: "")

  private init(normalised: String) {
    self.description = normalised
  }

  package var isRoot: Bool { self.description.isEmpty }

  /// - Throws: `ToolError` for a path that is absolute or would lead out of the repository.
  package init(_ string: String) throws(ToolError) {
    guard !string.utf8.contains(0) else { throw ToolError("the path contains a zero byte") }
    guard !string.hasPrefix("/") else {
      throw ToolError("\"\(string)\" is absolute; give a path relative to the repository's root")
    }
    var components: [Substring] = []
    for component in string.split(separator: "/") where component != "." {
      guard component != ".." else { throw ToolError("\"\(string)\" contains \"..\"") }
      components.append(component)
    }
    self.description = components.joined(separator: "/")
  }
}

/// The name of a revision as a client gave it, fit to be handed to git.
package struct Revision: Hashable, Sendable, CustomStringConvertible {
  package let description: String

  package static let head = Revision(unchecked: "HEAD")

  private init(unchecked: String) {
    self.description = unchecked
  }

  /// - Throws: `ToolError` for what git could take for an option, or could not take at all.
  package init(_ string: String) throws(ToolError) {
    guard !string.isEmpty else { throw ToolError("the revision is empty") }
    guard !string.hasPrefix("-") else {
      throw ToolError("a revision must not begin with \"-\": \"\(string)\"")
    }
    guard !string.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
      throw ToolError("the revision contains a control character")
    }
    self.description = string
  }
}

/// The name of an object: 40 or 64 hexadecimal digits, so never an option or an expression.
package struct ObjectID: Hashable, Sendable, CustomStringConvertible {
  package let description: String

  package init?(_ string: String) {
    guard string.utf8.count == 40 || string.utf8.count == 64,
      string.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else { return nil }
    self.description = string
  }
}
