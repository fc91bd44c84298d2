/// `show_commit`: one commit with what it changed, by git-show(1).
package struct ShowCommitTool: RepositoryTool {
  package let name = "show_commit"
  package let title = "Show a commit"
  package let summary = "Returns a commit: author, dates, message, the files it changed, and the patch."
  package let parameters = [
    .revision,
    ToolParameter("path", .string(maximumLength: 4096), "Only the changes to this file or directory."),
    ToolParameter("patch", .boolean, "false leaves out the patch; true if left out."),
  ]

  package init() {}

  package func call(_ arguments: ToolArguments, in repository: Repository) async throws -> [String] {
    let path = try arguments.path()
    let commit = try await repository.commit(arguments.revision())
    var command = [
      "show", "--no-color", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--no-notes",
      "--date=iso-strict", "--submodule=short", "--format=fuller", "--stat",
    ]
    if arguments.flag("patch", default: true) { command.append("--patch") }
    command += [commit.description, "--"]
    if !path.isRoot { command.append(path.description) }
    let output = try await repository.read(command, limit: ToolLimit.text)
    var texts = [String(decoding: output.output, as: UTF8.self)]
    if output.isTruncated { texts.append("[cut after \(ToolLimit.text) bytes; give a path]") }
    return texts
  }
}
