/// `log`: the commits that lead to a revision, by git-log(1).
package struct LogTool: RepositoryTool {
  package let name = "log"
  package let title = "History"
  package let summary =
    "Lists commits, newest first: id, date, author and subject, separated by tabs."
  package let parameters = [
    .revision,
    ToolParameter("path", .string(maximumLength: 4096), "Only commits that changed this file or directory."),
    ToolParameter("limit", .integer(1...1000), "How many commits at most; 50 if left out."),
    ToolParameter("skip", .integer(0...10_000_000), "How many of the newest to leave out."),
  ]

  package init() {}

  package func call(_ arguments: ToolArguments, in repository: Repository) async throws -> [String] {
    let path = try arguments.path()
    let commit = try await repository.commit(arguments.revision())
    var command = [
      "log", "-z", "--no-color", "--no-show-signature", "--no-ext-diff", "--no-textconv", "--no-notes",
      "--date=iso-strict", "--format=%H%x09%ad%x09%an <%ae>%x09%s",
      "--max-count=\(arguments.integer("limit") ?? 50)", "--skip=\(arguments.integer("skip") ?? 0)",
      commit.description, "--",
    ]
    if !path.isRoot { command.append(path.description) }
    let output = try await repository.read(command, limit: ToolLimit.text)
    var records = output.output.split(separator: 0)
    if output.isTruncated { _ = records.popLast() }
    guard !records.isEmpty else { return ["no commits"] }
    var texts = [records.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")]
    if output.isTruncated { texts.append("[only the first \(records.count) commits]") }
    return texts
  }
}
