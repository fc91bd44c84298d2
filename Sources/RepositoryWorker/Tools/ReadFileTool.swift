/// `read_file`: a file as it is in a commit, by git-cat-file(1).
package struct ReadFileTool: RepositoryTool {
  package let name = "read_file"
  package let title = "Read a file"
  package let summary =
    "Returns the text of a file at a revision, all of it or the lines asked for. Symbolic links are not followed."
  package let parameters: [ToolParameter] = [.file, .revision, .firstLine, .lastLine]

  package init() {}

  package func call(_ arguments: ToolArguments, in repository: Repository) async throws -> [String] {
    let path = try arguments.path()
    let start = arguments.integer("start_line") ?? 1
    let end = arguments.integer("end_line") ?? .max
    guard start <= end else { throw ToolError("start_line \(start) is after end_line \(end)") }
    let commit = try await repository.commit(arguments.revision())
    let entry = try await repository.file(path, in: commit)
    guard entry.size <= ToolLimit.file else {
      throw ToolError("\"\(path)\" has \(entry.size) bytes; files up to \(ToolLimit.file) can be read")
    }
    let bytes = try await repository.read(
      ["cat-file", "blob", entry.object.description], limit: ToolLimit.file + 1
    ).output
    guard !bytes.prefix(8000).contains(0) else {
      throw ToolError("\"\(path)\" is not text; it has \(entry.size) bytes")
    }
    return try ReadFileTool.excerpt(bytes, path: path, lines: start...end, limit: ToolLimit.text)
  }

  /// The lines of the text, and what was left out, if anything.
  package static func excerpt(
    _ bytes: [UInt8], path: RepositoryPath, lines: ClosedRange<Int>, limit: Int
  ) throws(ToolError) -> [String] {
    var all = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // What follows the last newline is a line only if there is something.
    if all.last?.isEmpty == true { all.removeLast() }
    guard lines.lowerBound <= max(all.count, 1) else {
      throw ToolError("\"\(path)\" has only \(all.count) lines")
    }
    let last = min(lines.upperBound, all.count)
    var excerpt: [UInt8] = []
    var shown = lines.lowerBound - 1
    var isCut = false
    for line in all[shown..<max(last, shown)] {
      guard excerpt.count + line.count < limit else {
        // At least the beginning of a line that is longer than all that can be answered.
        if excerpt.isEmpty {
          excerpt += line.prefix(limit)
          shown += 1
        }
        isCut = true
        break
      }
      excerpt += line
      excerpt.append(UInt8(ascii: "\n"))
      shown += 1
    }
    if !isCut, shown == all.count, bytes.last != UInt8(ascii: "\n"), !excerpt.isEmpty { excerpt.removeLast() }
    var texts = [String(decoding: excerpt, as: UTF8.self)]
    if isCut || lines.lowerBound > 1 || shown < all.count {
      texts.append("[lines \(lines.lowerBound) to \(shown) of \(all.count)\(isCut ? ", cut" : "")]")
    }
    return texts
  }
}
