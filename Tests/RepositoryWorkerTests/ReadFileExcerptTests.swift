import RepositoryWorker
import Testing

@Suite struct ReadFileExcerptTests {
  func excerpt(_ text: String, _ lines: ClosedRange<Int> = 1...Int.max, limit: Int = 100) throws -> [String] {
    try ReadFileTool.excerpt(Array(text.utf8), path: RepositoryPath("f"), lines: lines, limit: limit)
  }

  @Test func wholeFilesComeAsTheyAre() throws {
    #expect(try self.excerpt("a\nb\n") == ["a\nb\n"])
    #expect(try self.excerpt("a\nb") == ["a\nb"])
    #expect(try self.excerpt("") == [""])
    #expect(try self.excerpt("\n") == ["\n"])
    #expect(try self.excerpt("a\r\n\r\nb\r\n") == ["a\r\n\r\nb\r\n"])
  }

  @Test func rangesSayWhichTheyAre() throws {
    #expect(try self.excerpt("a\nb\nc\n", 2...2) == ["b\n", "[lines 2 to 2 of 3]"])
    #expect(try self.excerpt("a\nb\nc", 2...9) == ["b\nc", "[lines 2 to 3 of 3]"])
    #expect(try self.excerpt("a\nb\nc", 1...2) == ["a\nb\n", "[lines 1 to 2 of 3]"])
    #expect(throws: ToolError("\"f\" has only 3 lines")) { try self.excerpt("a\nb\nc\n", 4...9) }
  }

  @Test func longOnesAreCutAtALine() throws {
    #expect(
      try self.excerpt("aaaa\nbbbb\ncccc\n", limit: 12) == ["aaaa\nbbbb\n", "[lines 1 to 2 of 3, cut]"])
    #expect(try self.excerpt("aaaaaaaaaa\nb\n", limit: 5) == ["aaaaa", "[lines 1 to 1 of 2, cut]"])
  }
}
