import RepositoryWorker
import Testing

@Suite struct JSONValueTests {
  static let values: [(String, JSONValue)] = [
    ("null", .null), ("true", true), ("1", 1), ("-9223372036854775808", .integer(.min)),
    ("1.5", .number(1.5)),
    ("\"1\"", "1"), ("\"\\u00fc\\n\"", "ü\n"), ("[]", []), ("{\"a\":[1,null]}", ["a": [1, .null]]),
  ]

  @Test(arguments: values)
  func parses(_ text: String, _ value: JSONValue) throws {
    #expect(try JSONValue(parsing: Array(text.utf8)) == value)
    #expect(try JSONValue(parsing: value.bytes) == value)
  }

  @Test(arguments: ["", "{", "{} {}", "nul", "{\"a\":}", "1e999", "'a'", "\u{0}"])
  func refuses(_ text: String) {
    #expect(throws: (any Error).self) { try JSONValue(parsing: Array(text.utf8)) }
  }

  @Test func refusesWhatIsNotUTF8() {
    #expect(throws: (any Error).self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
  }

  @Test func nestingOfAnyDepthDoesNotEndTheProcess() {
    let text = String(repeating: "[", count: 200_000)
    #expect(throws: (any Error).self) { try JSONValue(parsing: Array(text.utf8)) }
    let closed = text + String(repeating: "]", count: 200_000)
    #expect(throws: (any Error).self) { try JSONValue(parsing: Array(closed.utf8)) }
  }

  @Test func writesSorted() {
    let value: JSONValue = ["b": 1, "a": "x/y"]
    #expect(String(decoding: value.bytes, as: UTF8.self) == "{\"a\":\"x/y\",\"b\":1}")
  }
}
