import RepositoryWorker
import Testing

@Suite struct RepositoryPathTests {
  @Test(arguments: [
    ("a/b.txt", "a/b.txt"), ("./a//b/./c/", "a/b/c"), (".", ""), ("", ""), ("-a", "-a"), ("a/..b", "a/..b"),
    (":(top)x", ":(top)x"), ("a b\\c", "a b\\c"),
  ])
  func normalises(_ given: String, _ path: String) throws {
    #expect(try RepositoryPath(given).description == path)
  }

  @Test(arguments: ["/etc/passwd", "..", "../x", "a/../../x", "a/..", "//x", "a\0b"])
  func refuses(_ given: String) {
    #expect(throws: ToolError.self) { try RepositoryPath(given) }
  }

  @Test(arguments: ["HEAD", "HEAD~3", "origin/main", "v1.0^{}", "@{yesterday}", ":/fix", "a-b"])
  func admitsRevision(_ given: String) throws {
    #expect(try Revision(given).description == given)
  }

  @Test(arguments: ["", "-p", "--output=/tmp/x", "a\nb", "a\0"])
  func refusesRevision(_ given: String) {
    #expect(throws: ToolError.self) { try Revision(given) }
  }

  @Test func objectIDsAreHexadecimalOnly() {
    #expect(ObjectID(String(repeating: "0f", count: 20)) != nil)
    #expect(ObjectID(String(repeating: "0f", count: 32)) != nil)
    #expect(ObjectID(String(repeating: "0F", count: 20)) == nil)
    #expect(ObjectID("-" + String(repeating: "0", count: 39)) == nil)
    #expect(ObjectID("") == nil)
  }
}
