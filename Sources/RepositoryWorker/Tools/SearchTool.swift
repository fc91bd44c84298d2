/// `search`: lines that match a pattern, by git-grep(1).
package struct SearchTool: RepositoryTool {
  package let name = "search"
  package let title = "Search"
  package let summary =
    "Finds the lines that match a POSIX extended regular expression, or contain a fixed text, in the files at a revision. Answers PATH:LINE:TEXT, one match per line."
  package let parameters = [
    ToolParameter("pattern", .string(maximumLength: 1024), required: true, "What to look for."),
    ToolParameter("path", .string(maximumLength: 4096), "Only in this file or directory."),
    .revision,
    ToolParameter("fixed", .boolean, "true takes the pattern as plain text."),
    ToolParameter("ignore_case", .boolean, "true makes no difference between upper and lower case."),
    ToolParameter("limit", .integer(1...5000), "How many matches at most; 200 if left out."),
  ]

  package init() {}

  package func call(_ arguments: ToolArguments, in repository: Repository) async throws -> [String] {
    let path = try arguments.path()
    guard let pattern = arguments.string("pattern"), !pattern.isEmpty else {
      throw ToolError("the pattern is empty")
    }
    let limit = arguments.integer("limit") ?? 200
    let commit = try await repository.commit(arguments.revision())
    var command = [
      "grep", "-n", "-I", "-z", "--no-color", "--full-name", "--no-textconv", "--no-recurse-submodules",
      "--max-count=\(limit + 1)", arguments.flag("fixed") ? "-F" : "-E",
    ]
    if arguments.flag("ignore_case") { command.append("-i") }
    command += ["-e", pattern, commit.description, "--"]
    if !path.isRoot { command.append(path.description) }
    let output = try await repository.read(command, limit: ToolLimit.text, statuses: [0, 1])
    var matches = SearchTool.matches(output.output, commit: commit)
    if output.isTruncated { _ = matches.popLast() }
    guard !matches.isEmpty else { return ["no matches"] }
    var texts = [matches.prefix(limit).joined(separator: "\n")]
    if matches.count > limit || output.isTruncated {
      texts.append("[only the first \(min(limit, matches.count)) matches]")
    }
    return texts
  }

  /// Reads `COMMIT:PATH NUL LINE NUL TEXT LF` records.
  package static func matches(_ output: [UInt8], commit: ObjectID) -> [String] {
    output.split(separator: UInt8(ascii: "\n")).map { record in
      let fields = record.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return String(decoding: record, as: UTF8.self) }
      let path = fields[0].dropFirst(commit.description.utf8.count + 1)
      let text = fields[2].last == UInt8(ascii: "\r") ? fields[2].dropLast() : fields[2]
      return [path, fields[1], text].map { String(decoding: $0, as: UTF8.self) }.joined(separator: ":")
    }
  }
}
