import RepositoryWorker
import Testing

@Suite struct JSONRPCMessageTests {
  func message(_ text: String) throws -> JSONRPCMessage {
    try JSONRPCMessage(JSONValue(parsing: Array(text.utf8)))
  }

  @Test func reads() throws {
    #expect(
      try self.message("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}")
        == .request(id: .integer(1), method: "ping", params: nil))
    #expect(
      try self.message("{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"ping\",\"params\":{}}")
        == .request(id: .string("1"), method: "ping", params: [:]))
    #expect(
      try self.message("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}")
        == .notification(method: "notifications/initialized", params: nil))
    #expect(
      try self.message("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}") == .response(id: .integer(1)))
  }

  @Test(arguments: [
    "[]", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "1", "null", "{}",
    "{\"id\":1,\"method\":\"ping\"}",
    "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":2}",
    "{\"jsonrpc\":\"2.0\",\"id\":1}",
  ])
  func refuses(_ text: String) {
    #expect { try self.message(text) } throws: { ($0 as? JSONRPCError)?.code == .invalidRequest }
  }

  @Test func refusesParamsThatAreNoObject() {
    #expect {
      try self.message("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":[1]}")
    } throws: {
      ($0 as? JSONRPCError)?.code == .invalidParams && ($0 as? JSONRPCError)?.id == .integer(7)
    }
  }
}
