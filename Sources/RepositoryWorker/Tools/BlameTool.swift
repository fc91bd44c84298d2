/// `blame`: who last changed each line of a file, by git-blame(1).
package struct BlameTool: RepositoryTool {
  package let name = "blame"
  package let title = "Blame"
  package let summary =
    "Returns the lines of a file at a revision, each with the commit, author and date that last changed it."
  package let parameters: [ToolParameter] = [.file, .revision, .firstLine, .lastLine]

  package init() {}

  package func call(_ arguments: ToolArguments, in repository: Repository) async throws -> [String] {
    let path = try arguments.path()
    let start = arguments.integer("start_line") ?? 1
    let end = arguments.integer("end_line")
    if let end, start > end { throw ToolError("start_line \(start) is after end_line \(end)") }
    let commit = try await repository.commit(arguments.revision())
    _ = try await repository.file(path, in: commit)
    // git-blame(1) of 2.39 knows no --end-of-options; a commit's id cannot be an option.
    let output = try await repository.read(
      [
        "blame", "--no-textconv", "--no-progress", "--date=iso-strict", "-L",
        "\(start),\(end.map { "\($0)" } ?? "")",
        commit.description, "--", path.description,
      ], limit: ToolLimit.text)
    var texts = [String(decoding: output.output, as: UTF8.self)]
    if output.isTruncated { texts.append("[cut after \(ToolLimit.text) bytes; give a range of lines]") }
    return texts
  }
}
