/// The repository the tools read. Everything is read from commits, never from the working tree,
/// so no symbolic link leads anywhere.
package struct Repository: Sendable {
  /// What a path is in a commit.
  package struct Entry: Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case file, symbolicLink, directory, submodule }
    package var kind: Kind
    package var object: ObjectID
    /// Of a file; 0 otherwise.
    package var size: Int
  }

  package var name: String
  package var git: any GitRunning

  package init(name: String, git: any GitRunning) {
    self.name = name
    self.git = git
  }

  /// Fails, in one line, unless this is the root of a repository git can read.
  package func check() async throws {
    let output = try await self.git.run(["rev-parse", "--git-dir"], outputLimit: 4096)
    guard output.status == 0 else { throw ToolError(Repository.reason(output)) }
    // From the root it is .git, or . for a bare one, or an absolute path where .git is a file.
    let directory = String(decoding: output.output, as: UTF8.self)
    guard directory == ".git\n" || directory == ".\n" || directory.hasPrefix("/") else {
      throw ToolError("not the root of a repository")
    }
  }

  /// The commit a revision means. Only its id is handed to git afterwards.
  package func commit(_ revision: Revision) async throws -> ObjectID {
    let output = try await self.git.run(
      ["rev-parse", "--verify", "--quiet", "--end-of-options", "\(revision)^{commit}"], outputLimit: 4096)
    try Repository.checkLimits(output, isTruncationFine: false)
    let line = String(decoding: output.output.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    guard output.status == 0, let id = ObjectID(line) else {
      throw ToolError("no commit \"\(revision)\" in this repository")
    }
    return id
  }

  /// What the path is in the commit.
  package func entry(_ path: RepositoryPath, in commit: ObjectID) async throws -> Entry {
    guard !path.isRoot else { return Entry(kind: .directory, object: commit, size: 0) }
    let output = try await self.read(
      ["ls-tree", "-z", "-l", "--full-tree", commit.description, "--", path.description], limit: 64 << 10
    ).output
    // <mode> SP <type> SP <object> SP+ <size> TAB <path> NUL
    let record = String(decoding: output.prefix { $0 != 0 }, as: UTF8.self)
    let fields = record.prefix { $0 != "\t" }.split(separator: " ")
    guard fields.count == 4, let object = ObjectID(String(fields[2])) else {
      throw ToolError("no \"\(path)\" in this commit")
    }
    let kind: Entry.Kind =
      switch (fields[0], fields[1]) {
      case ("120000", _): .symbolicLink
      case (_, "tree"): .directory
      case (_, "commit"): .submodule
      default: .file
      }
    return Entry(kind: kind, object: object, size: Int(fields[3]) ?? 0)
  }

  /// A file, or the reason why the path is none.
  package func file(_ path: RepositoryPath, in commit: ObjectID) async throws -> Entry {
    let entry = try await self.entry(path, in: commit)
    switch entry.kind {
    case .file: return entry
    case .directory: throw ToolError("\"\(path)\" is a directory")
    case .submodule: throw ToolError("\"\(path)\" is a submodule")
    case .symbolicLink: throw ToolError("\"\(path)\" is a symbolic link; links are not followed")
    }
  }

  /// Runs git and insists on one of the statuses. Output over the limit is cut, and says so.
  package func read(
    _ arguments: [String], limit: Int, statuses: Set<Int32> = [0]
  ) async throws -> GitOutput {
    let output = try await self.git.run(arguments, outputLimit: limit)
    try Repository.checkLimits(output, isTruncationFine: true)
    guard output.isTruncated || output.status.map(statuses.contains) == true else {
      throw ToolError(Repository.reason(output))
    }
    return output
  }

  private static func checkLimits(_ output: GitOutput, isTruncationFine: Bool) throws(ToolError) {
    if output.isOverdue { throw ToolError("git took too long and was stopped; ask for less") }
    if output.isTruncated, !isTruncationFine { throw ToolError("git wrote more than expected") }
  }

  /// git's own first line of complaint.
  private static func reason(_ output: GitOutput) -> String {
    let line = output.errorText.split(separator: "\n").first.map(String.init)
    return line ?? "git failed (\(output.status.map { "status \($0)" } ?? "ended by a signal"))"
  }
}
