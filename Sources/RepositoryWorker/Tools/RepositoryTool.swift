/// A tool a client can call.
package protocol RepositoryTool: Sendable {
  var name: String { get }
  var title: String { get }
  /// What it does, for a model that has to choose.
  var summary: String { get }
  var parameters: [ToolParameter] { get }

  /// Runs it and returns the texts of its result.
  ///
  /// - Throws: `ToolError` for what the caller should be told, `CancellationError`, and
  ///   `GitUnavailable`.
  func call(_ arguments: ToolArguments, in repository: Repository) async throws -> [String]
}

/// A tool could not do what it was asked, said so that the caller can do better.
package struct ToolError: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String

  package init(_ description: String) {
    self.description = description
  }
}

/// Every tool of this server.
package let allTools: [any RepositoryTool] = [
  ListFilesTool(), ReadFileTool(), SearchTool(), LogTool(), ShowCommitTool(), BlameTool(),
]

extension RepositoryTool {
  /// The tool as `tools/list` describes it.
  package var description: JSONValue {
    [
      "name": .string(self.name), "title": .string(self.title), "description": .string(self.summary),
      "inputSchema": ToolParameter.schema(self.parameters),
      "annotations": [
        "title": .string(self.title), "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true,
        "openWorldHint": false,
      ],
    ]
  }
}

/// How much a tool answers at most.
package enum ToolLimit {
  /// Bytes of text in one answer.
  package static let text = 256 << 10
  /// Bytes of a file that can be read a part of.
  package static let file = 8 << 20
}
