import Supervision
import Testing

@Suite("HTTP requests and responses as bytes")
struct ProbeHTTPCodecTests {
  private func codec(
    _ request: HTTPRequest = HTTPRequest(path: "/health", host: "127.0.0.1:8081"),
    limits: HTTPLimits = HTTPLimits()
  ) throws -> HTTPClientCodec {
    try HTTPClientCodec(request, limits: limits)
  }

  private func text(_ codec: HTTPClientCodec) -> String { String(decoding: codec.request, as: UTF8.self) }

  @Test("a GET keeps the connection alive and has no body")
  func get() throws {
    let text = self.text(try self.codec())
    #expect(text.hasPrefix("GET /health HTTP/1.1\r\n"))
    #expect(text.hasSuffix("\r\n\r\n"))
    let lines = Set(text.split(separator: "\r\n").dropFirst())
    #expect(lines == ["Host: 127.0.0.1:8081", "Connection: keep-alive"])
  }

  @Test("a POST has its length, also of nothing")
  func post() throws {
    let empty = self.text(try self.codec(HTTPRequest(method: "POST", path: "/shutdown", host: "h")))
    #expect(empty.contains("\r\nContent-Length: 0\r\n"))
    #expect(!empty.lowercased().contains("transfer-encoding"))
    let full = self.text(
      try self.codec(
        HTTPRequest(
          method: "POST", path: "/", host: "h", headers: [HTTPField("X-Reason", "stop")],
          body: Array("{}".utf8))))
    #expect(full.contains("\r\nContent-Length: 2\r\n"))
    #expect(full.contains("\r\nX-Reason: stop\r\n"))
    #expect(full.hasSuffix("\r\n\r\n{}"))
  }

  @Test(
    "refuses what would break out of its place",
    arguments: [
      HTTPRequest(path: "health", host: "h"), HTTPRequest(path: "", host: "h"),
      HTTPRequest(path: "/a b", host: "h"), HTTPRequest(path: "/a\r\nX: y", host: "h"),
      HTTPRequest(method: "GET /x", path: "/", host: "h"), HTTPRequest(method: "", path: "/", host: "h"),
      HTTPRequest(path: "/", host: "h\r\nX: y"),
      HTTPRequest(path: "/", host: "h", headers: [HTTPField("X\r\nY", "z")]),
      HTTPRequest(path: "/", host: "h", headers: [HTTPField("X", "z\r\nY: 1")]),
    ])
  func invalidRequests(request: HTTPRequest) {
    #expect {
      try HTTPClientCodec(request, limits: HTTPLimits())
    } throws: { error in
      guard case HTTPFailure.invalidRequest = error else { return false }
      return true
    }
  }

  @Test("reads a response however it is cut", arguments: [1, 2, 7, 1000])
  func pieces(size: Int) throws {
    let bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello".utf8)
    let codec = try self.codec()
    var rest = bytes[...]
    var response: HTTPResponse?
    while !rest.isEmpty {
      #expect(response == nil)
      response = try codec.receive(rest.prefix(size))
      rest = rest.dropFirst(size)
    }
    #expect(response?.status == 200)
    #expect(response?.body == Array("hello".utf8))
    #expect(response?.header("x-a") == "b")
    #expect(response?.isBodyTruncated == false)
  }

  @Test("reads chunks, no content, informational responses, and a body that ends with the connection")
  func framings() throws {
    let chunked = try self.codec().receive(
      Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".utf8))
    #expect(chunked?.body == Array("abcde".utf8))
    #expect(try self.codec().receive(Array("HTTP/1.1 204 No Content\r\n\r\n".utf8))?.status == 204)
    let informed = try self.codec().receive(
      Array("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".utf8))
    #expect(informed?.status == 503)
    let codec = try self.codec()
    #expect(try codec.receive(Array("HTTP/1.0 200 OK\r\n\r\nall of it".utf8)) == nil)
    #expect(try codec.receiveEnd().body == Array("all of it".utf8))
    let head = try self.codec(HTTPRequest(method: "HEAD", path: "/", host: "h"))
    #expect(try head.receive(Array("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n".utf8))?.status == 200)
  }

  @Test("cuts the body at its limit")
  func bodyLimit() throws {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    let short = try self.codec(limits: HTTPLimits(body: 4)).receive(Array((head + "0123456789").utf8))
    #expect(short?.body == Array("0123".utf8))
    #expect(short?.isBodyTruncated == true)
    let exact = try self.codec(limits: HTTPLimits(body: 10)).receive(Array((head + "0123456789").utf8))
    #expect(exact?.body.count == 10)
    #expect(exact?.isBodyTruncated == false)
  }

  @Test("refuses a head beyond its limit, from one field or many, at once or in pieces")
  func headLimit() throws {
    let long = Array(("HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 200_000)).utf8)
    let many = Array(("HTTP/1.1 200 OK\r\n" + String(repeating: "X: abcdefgh\r\n", count: 20_000)).utf8)
    for bytes in [long, many] {
      for size in [1000, 300_000] {
        let codec = try self.codec(limits: HTTPLimits(head: 8000))
        #expect(throws: HTTPFailure.tooLarge(limit: 8000)) {
          var rest = bytes[...]
          while !rest.isEmpty {
            _ = try codec.receive(rest.prefix(size))
            rest = rest.dropFirst(size)
          }
        }
      }
    }
  }

  @Test(
    "an end before the response is complete is early",
    arguments: [
      "", "HTT", "HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
    ])
  func early(text: String) throws {
    let codec = try self.codec()
    #expect(try codec.receive(Array(text.utf8)) == nil)
    #expect(throws: HTTPFailure.closedEarly) { try codec.receiveEnd() }
    #expect(throws: HTTPFailure.closedEarly) { try codec.receiveEnd() }
  }

  @Test(
    "what is not HTTP is garbage",
    arguments: [
      "SSH-2.0-OpenSSH_9.2p1\r\n", "220 mail ready\r\n", "\u{16}\u{3}\u{1}\u{2}", "HTTP/1.1 abc OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
    ])
  func garbage(text: String) throws {
    let codec = try self.codec()
    #expect {
      _ = try codec.receive(Array(text.utf8))
    } throws: { error in
      guard case HTTPFailure.garbage = error else { return false }
      return true
    }
  }

  @Test("survives damaged responses in pieces", arguments: [1, 2, 3] as [UInt64])
  func damaged(seed: UInt64) throws {
    var state = seed
    func number(_ bound: Int) -> Int {
      // xorshift64
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    let valid = Array(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8)
    var outcomes: Set<String> = []
    for _ in 0..<1000 {
      var bytes = valid
      for _ in 0..<number(4) { bytes[number(bytes.count)] = UInt8(number(256)) }
      let codec = try self.codec(limits: HTTPLimits(head: 500, body: 500))
      var rest = bytes[...]
      var outcome: String?
      do {
        while !rest.isEmpty, outcome == nil {
          let size = 1 + number(20)
          if let response = try codec.receive(rest.prefix(size)) {
            #expect(response.body.count <= 500)
            outcome = "response"
          }
          rest = rest.dropFirst(size)
        }
        if outcome == nil {
          _ = try codec.receiveEnd()
          outcome = "end"
        }
      } catch {
        outcome = String("\(error)".prefix(12))
      }
      outcomes.insert(outcome ?? "none")
    }
    #expect(outcomes.count >= 3, "\(outcomes)")
  }
}
