import Foundation
import RepositoryWorker
import SystemPackage
import Testing

/// The tools on a real repository, with the real git.
@Suite(.timeLimit(.minutes(2))) struct GitToolTests {
  let fixture: GitRepositoryFixture

  init() async throws { self.fixture = try await GitRepositoryFixture.make() }

  func call(_ tool: some RepositoryTool, _ arguments: JSONValue = [:]) async throws -> [String] {
    try await tool.call(ToolArguments(arguments, for: tool.parameters), in: self.fixture.repository)
  }

  @Test func listFiles() async throws {
    #expect(try await self.call(ListFilesTool()) == ["binary\nf.txt\nlink\nout\nsub dir/ü.txt"])
    #expect(
      try await self.call(ListFilesTool(), ["recursive": false]) == ["binary\nf.txt\nlink\nout\nsub dir/"])
    #expect(try await self.call(ListFilesTool(), ["path": "sub dir"]) == ["sub dir/ü.txt"])
    #expect(
      try await self.call(ListFilesTool(), ["limit": 2])
        == ["binary\nf.txt", "[only the first 2 paths; give a directory or a higher limit]"])
    await #expect(throws: ToolError("\"f.txt\" is not a directory")) {
      try await self.call(ListFilesTool(), ["path": "f.txt"])
    }
    await #expect(throws: ToolError("no \"gone\" in this commit")) {
      try await self.call(ListFilesTool(), ["path": "gone"])
    }
  }

  @Test func readFile() async throws {
    #expect(try await self.call(ReadFileTool(), ["path": "f.txt"]) == ["one\nTWO needle\nthree\n"])
    #expect(
      try await self.call(ReadFileTool(), ["path": "f.txt", "revision": "HEAD~1"]) == ["one\ntwo\nthree\n"])
    #expect(
      try await self.call(ReadFileTool(), ["path": "f.txt", "start_line": 2, "end_line": 2])
        == ["TWO needle\n", "[lines 2 to 2 of 3]"])
    await #expect(throws: ToolError("\"binary\" is not text; it has 3 bytes")) {
      try await self.call(ReadFileTool(), ["path": "binary"])
    }
    await #expect(throws: ToolError("\"sub dir\" is a directory")) {
      try await self.call(ReadFileTool(), ["path": "sub dir"])
    }
    await #expect(throws: ToolError("\"\" is a directory")) {
      try await self.call(ReadFileTool(), ["path": "."])
    }
    await #expect(throws: ToolError("no commit \"nope\" in this repository")) {
      try await self.call(ReadFileTool(), ["path": "f.txt", "revision": "nope"])
    }
  }

  @Test func nothingLeadsOutside() async throws {
    // It is a link to a file that can be read, and yet its content does not come.
    #expect(try String(contentsOfFile: self.fixture.path("link"), encoding: .utf8).contains("root"))
    await #expect(throws: ToolError("\"link\" is a symbolic link; links are not followed")) {
      try await self.call(ReadFileTool(), ["path": "link"])
    }
    await #expect(throws: ToolError("no \"out/passwd\" in this commit")) {
      try await self.call(ReadFileTool(), ["path": "out/passwd"])
    }
    for path in ["/etc/passwd", "../x", ".git/config"] {
      await #expect(throws: ToolError.self) { try await self.call(ReadFileTool(), ["path": .string(path)]) }
      await #expect(throws: ToolError.self) { try await self.call(BlameTool(), ["path": .string(path)]) }
    }
  }

  @Test func noOptionCanBeSmuggledIn() async throws {
    let target = self.fixture.root.appending("written").string
    for revision in ["--output=\(target)", "-p", "HEAD --output=\(target)"] {
      let value = JSONValue.string(revision)
      await #expect(throws: ToolError.self) { try await self.call(LogTool(), ["revision": value]) }
      await #expect(throws: ToolError.self) { try await self.call(ShowCommitTool(), ["revision": value]) }
      await #expect(throws: ToolError.self) {
        try await self.call(BlameTool(), ["path": "f.txt", "revision": value])
      }
    }
    #expect(try await self.call(LogTool(), ["path": .string("--output=\(target)")]) == ["no commits"])
    #expect(try await self.call(SearchTool(), ["pattern": "--open-files-in-pager=touch"]) == ["no matches"])
    #expect(try await self.call(SearchTool(), ["pattern": "o", "path": ":(top)f.txt"]) == ["no matches"])
    #expect(!FileManager.default.fileExists(atPath: target))
  }

  @Test func search() async throws {
    #expect(
      try await self.call(SearchTool(), ["pattern": "needle"])
        == ["f.txt:2:TWO needle\nsub dir/ü.txt:1:needle in ümlaut"])
    #expect(try await self.call(SearchTool(), ["pattern": "^t(w|h)"]) == ["f.txt:3:three"])
    #expect(try await self.call(SearchTool(), ["pattern": "^t(w|h)", "fixed": true]) == ["no matches"])
    #expect(
      try await self.call(SearchTool(), ["pattern": "NEEDLE", "ignore_case": true, "path": "sub dir"])
        == ["sub dir/ü.txt:1:needle in ümlaut"])
    #expect(
      try await self.call(SearchTool(), ["pattern": "e", "limit": 1])
        == ["f.txt:1:one", "[only the first 1 matches]"])
    await #expect(throws: ToolError.self) { try await self.call(SearchTool(), ["pattern": "fo("]) }
    await #expect(throws: ToolError("the pattern is empty")) {
      try await self.call(SearchTool(), ["pattern": ""])
    }
  }

  @Test func log() async throws {
    let head = try await self.fixture.git("rev-parse", "HEAD")
    let first = try await self.fixture.git("rev-parse", "HEAD~1")
    let middle = "\t2024-01-02T03:04:05+00:00\tAnn Author <ann@example.org>\t"
    #expect(
      try await self.call(LogTool()) == ["\(head)\(middle)Change the second line\n\(first)\(middle)Begin"])
    #expect(try await self.call(LogTool(), ["limit": 1, "skip": 1]) == ["\(first)\(middle)Begin"])
    #expect(try await self.call(LogTool(), ["path": "sub dir"]) == ["\(first)\(middle)Begin"])
  }

  @Test func showCommit() async throws {
    let text = try await self.call(ShowCommitTool(), ["revision": "main"])[0]
    #expect(text.contains("Author:     Ann Author <ann@example.org>"))
    #expect(text.contains("    Change the second line"))
    #expect(text.contains("-two\n+TWO needle"))
    let short = try await self.call(ShowCommitTool(), ["patch": false])[0]
    #expect(short.contains(" f.txt | 2 +-"))
    #expect(!short.contains("+TWO needle"))
  }

  @Test func blame() async throws {
    let lines = try await self.call(BlameTool(), ["path": "f.txt"])[0].split(separator: "\n")
    #expect(lines.count == 3)
    let head = try await self.fixture.git("rev-parse", "HEAD").prefix(7)
    #expect(lines[1].hasPrefix(head) && lines[1].hasSuffix(" 2) TWO needle"))
    #expect(!lines[0].hasPrefix(head))
    let one = try await self.call(BlameTool(), ["path": "f.txt", "start_line": 3, "end_line": 3])[0]
    #expect(one.split(separator: "\n").count == 1)
    await #expect(throws: ToolError.self) {
      try await self.call(BlameTool(), ["path": "f.txt", "start_line": 9])
    }
  }

  @Test func programsOfTheRepositorysConfigurationDoNotRun() async throws {
    let witness = self.fixture.path("witness")
    for key in [
      "diff.external", "core.fsmonitor", "core.pager", "diff.evil.textconv", "diff.evil.command",
      "core.sshCommand",
    ] {
      try await self.fixture.git("config", key, "touch '\(witness)' #")
    }
    try self.fixture.write(".git/info/attributes", "*.txt diff=evil\n")
    _ = try await self.call(ShowCommitTool())
    _ = try await self.call(LogTool(), ["path": "f.txt"])
    _ = try await self.call(BlameTool(), ["path": "f.txt"])
    _ = try await self.call(SearchTool(), ["pattern": "needle"])
    #expect(!FileManager.default.fileExists(atPath: witness))
    // With git left to itself it does run.
    _ = try? await self.fixture.git("show", "--ext-diff", "HEAD")
    #expect(FileManager.default.fileExists(atPath: witness))
  }

  @Test func anEmptyRepositoryIsNoCrash() async throws {
    let empty = self.fixture.root.appending("empty.git").string
    try await self.fixture.git("init", "-q", "--bare", empty)
    var git = self.fixture.procCtlGit()
    git.repository = FilePath(empty)
    let repository = Repository(name: "empty", git: git)
    try await repository.check()
    let tool = LogTool()
    await #expect(throws: ToolError("no commit \"HEAD\" in this repository")) {
      try await tool.call(ToolArguments(nil, for: tool.parameters), in: repository)
    }
  }
}
