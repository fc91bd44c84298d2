/// `list_files`: the paths a commit has, by git-ls-tree(1).
package struct ListFilesTool: RepositoryTool {
  package let name = "list_files"
  package let title = "List files"
  package let summary =
    "Lists the files of the repository at a revision, one path per line, also those in subdirectories unless told otherwise. Directories end in a slash."
  package let parameters = [
    ToolParameter("path", .string(maximumLength: 4096), "Only what is in this directory; all if left out."),
    .revision,
    ToolParameter("recursive", .boolean, "false lists one directory only; true if left out."),
    ToolParameter("limit", .integer(1...10_000), "How many paths at most; 2000 if left out."),
  ]

  package init() {}

  package func call(_ arguments: ToolArguments, in repository: Repository) async throws -> [String] {
    let path = try arguments.path()
    let limit = arguments.integer("limit") ?? 2000
    let isRecursive = arguments.flag("recursive", default: true)
    let commit = try await repository.commit(arguments.revision())
    var command = ["ls-tree", "-z", "--full-tree"]
    if isRecursive { command.append("-r") }
    command += [commit.description, "--"]
    if !path.isRoot {
      guard try await repository.entry(path, in: commit).kind == .directory else {
        throw ToolError("\"\(path)\" is not a directory")
      }
      command.append("\(path)/")
    }
    let output = try await repository.read(command, limit: 4 << 20)
    var records = output.output.split(separator: 0)
    // The last one may have been cut in the middle.
    if output.isTruncated, output.output.last != 0 { _ = records.popLast() }
    let paths = records.prefix(limit).map { record in
      let text = String(decoding: record, as: UTF8.self)
      let name = text.drop { $0 != "\t" }.dropFirst()
      return text.hasPrefix("040000 ") ? "\(name)/" : String(name)
    }
    var texts = [paths.joined(separator: "\n")]
    if records.count > limit || output.isTruncated {
      texts.append("[only the first \(paths.count) paths; give a directory or a higher limit]")
    }
    return texts
  }
}
