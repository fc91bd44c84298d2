import RepositoryWorker
import Testing

@Suite struct ToolArgumentsTests {
  let parameters = [
    ToolParameter("text", .string(maximumLength: 3), required: true, "A text."),
    ToolParameter("number", .integer(1...9), "A number."), ToolParameter("flag", .boolean, "A flag."),
  ]

  @Test func admits() throws {
    let arguments = try ToolArguments(
      ["text": "ümü", "number": .number(3.0), "flag": true], for: self.parameters)
    #expect(arguments.string("text") == "ümü")
    #expect(arguments.integer("number") == 3)
    #expect(arguments.flag("flag"))
    #expect(!arguments.flag("other"))
    #expect(arguments.flag("other", default: true))
  }

  @Test(
    arguments: [
      (nil, "argument \"text\" is missing"), ([:], "argument \"text\" is missing"),
      ([1], "arguments must be an object"),
      (["text": 1], "argument \"text\" must be a string"),
      (["text": .null], "argument \"text\" must be a string"),
      (["text": "abcd"], "argument \"text\" is longer than 3 characters"),
      (["text": "a\0"], "argument \"text\" contains a zero byte"),
      (["text": "a", "number": 0], "argument \"number\" must be an integer from 1 to 9"),
      (["text": "a", "number": .number(1.5)], "argument \"number\" must be an integer from 1 to 9"),
      (["text": "a", "number": .number(1e300)], "argument \"number\" must be an integer from 1 to 9"),
      (["text": "a", "number": "1"], "argument \"number\" must be an integer from 1 to 9"),
      (["text": "a", "flag": 1], "argument \"flag\" must be true or false"),
      (["text": "a", "more": 1], "unknown argument \"more\""),
    ] as [(JSONValue?, String)])
  func refuses(_ value: JSONValue?, _ reason: String) {
    #expect(throws: InvalidArguments(description: reason)) { try ToolArguments(value, for: self.parameters) }
  }

  @Test func theSchemaSaysTheSame() {
    let schema = ToolParameter.schema(self.parameters)
    #expect(schema["required"] == ["text"])
    #expect(schema["additionalProperties"] == false)
    #expect(
      schema["properties"]?["number"] == [
        "type": "integer", "minimum": 1, "maximum": 9, "description": "A number.",
      ])
  }
}
