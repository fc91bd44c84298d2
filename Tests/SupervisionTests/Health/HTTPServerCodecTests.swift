import SeededRandom
import Supervision
import Testing

@Suite("HTTP requests to the health endpoint, as bytes")
struct HTTPServerCodecTests {
  private let get = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

  private func requests(_ text: String) throws -> [HTTPServerRequest] {
    var requests: [HTTPServerRequest] = []
    try HTTPServerCodec().receive(Array(text.utf8), into: &requests)
    return requests
  }

  private func failure(_ text: String) -> HTTPServerFailure? {
    do {
      _ = try self.requests(text)
      return nil
    } catch {
      return error as? HTTPServerFailure
    }
  }

  @Test("one request, many, and one that comes byte by byte")
  func requests() throws {
    #expect(
      try self.requests(self.get) == [
        HTTPServerRequest(method: "GET", target: "/healthz", keepsAlive: true)
      ])
    #expect(try self.requests(String(repeating: self.get, count: 50)).count == 50)
    let codec = HTTPServerCodec()
    var requests: [HTTPServerRequest] = []
    for byte in self.get.utf8 {
      #expect(requests.isEmpty)
      try codec.receive([byte], into: &requests)
    }
    #expect(requests.count == 1)
    #expect(!codec.isInRequest)
  }

  @Test("what ends the connection after its response")
  func lastRequests() throws {
    #expect(try self.requests("GET / HTTP/1.0\r\n\r\n").map(\.keepsAlive) == [false])
    #expect(try self.requests("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").map(\.keepsAlive) == [false])
    #expect(
      try self.requests("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n").map(\.keepsAlive)
        == [false])
  }

  @Test("a body is read and thrown away, up to a size")
  func body() throws {
    let post = "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: "
    #expect(try self.requests(post + "3\r\n\r\nabc" + self.get).map(\.method) == ["POST", "GET"])
    let large = String(repeating: "x", count: HTTPServerCodec.longestBody + 1)
    #expect(self.failure(post + "\(large.utf8.count)\r\n\r\n" + large) == .bodyTooLarge)
  }

  @Test("what is refused")
  func refused() {
    #expect(self.failure("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}") == .garbage)
    #expect(self.failure("GET /\r\n\r\n") == .garbage)
    #expect(
      self.failure("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: HTTPServerCodec.longestHead))
        == .headTooLarge)
  }

  @Test("a response says its length, to HEAD too, and has no body then")
  func responses() {
    let response = HTTPResponse(status: 200, headers: [.plainText], body: Array("running\n".utf8))
    let codec = HTTPServerCodec()
    let full = String(
      decoding: codec.response(response, to: "GET", keepingAlive: true), as: UTF8.self)
    #expect(full.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(full.contains("\r\nContent-Length: 8\r\n"))
    #expect(full.contains("\r\nConnection: keep-alive\r\n"))
    #expect(full.hasSuffix("\r\n\r\nrunning\n"))
    let head = String(
      decoding: codec.response(response, to: "HEAD", keepingAlive: false), as: UTF8.self)
    #expect(head.contains("\r\nContent-Length: 8\r\n"))
    #expect(head.contains("\r\nConnection: close\r\n"))
    #expect(head.hasSuffix("\r\n\r\n"))
  }

  @Test("damaged requests are requests or refused", arguments: 1...4 as ClosedRange<UInt64>)
  func damaged(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let damage = Damage(tokens: ["GET ", " HTTP/1.1\r\n", "\r\n", "\r\n\r\n", "Content-Length: ", ":", "/"])
    let original = Array((self.get + "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + self.get).utf8)
    var refused = 0
    for _ in 0..<500 {
      let codec = HTTPServerCodec()
      var requests: [HTTPServerRequest] = []
      var rest = damage.apply(to: original, using: &random)[...]
      do {
        while !rest.isEmpty {
          let part = rest.prefix(Int.random(in: 1...64, using: &random))
          try codec.receive(part, into: &requests)
          rest = rest.dropFirst(part.count)
        }
      } catch {
        refused += 1
      }
      for request in requests { #expect(!request.method.isEmpty && !request.target.isEmpty) }
      // It can still answer what came before.
      #expect(!codec.response(HTTPResponse(status: 400), to: "GET", keepingAlive: false).isEmpty)
    }
    #expect(refused > 0)
  }
}

@Suite("Pages of the health endpoint")
struct HealthPageTests {
  @Test func routes() {
    #expect(HealthPage.request(method: "GET", target: "/healthz") == .page(.alive))
    #expect(HealthPage.request(method: "HEAD", target: "/readyz?verbose") == .page(.ready))
    #expect(HealthPage.request(method: "GET", target: "/metrics#x") == .page(.metrics))
    #expect(HealthPage.request(method: "POST", target: "/metrics") == .methodNotAllowed)
    #expect(HealthPage.request(method: "POST", target: "/") == .notFound)
    #expect(HealthPage.request(method: "GET", target: "/healthz/") == .notFound)
    #expect(HealthPage.request(method: "GET", target: "") == .notFound)
  }

  @Test("the list of what is missing stays short")
  func missing() {
    let workers = (0..<1000).map { Unreadiness.Worker(name: "w\($0)", state: "starting") }
    let answer = Unreadiness(phase: "running", ready: 0, of: 1000, missing: workers)
    #expect(answer.missing.count == Unreadiness.longestList)
    #expect(answer.all_workers == 1000)
    #expect(!answer.ready)
  }
}

@Suite("Where the health endpoint listens")
struct HealthAddressTests {
  @Test(arguments: [
    ("127.0.0.1:9180", "127.0.0.1:9180"), ("[::1]:9180", "[::1]:9180"), ("localhost:1", "127.0.0.1:1"),
    ("0.0.0.0:65535", "0.0.0.0:65535"), ("unix:/run/x.sock", "unix:/run/x.sock"),
  ])
  func isRead(text: String, written: String) {
    #expect(HealthAddress(text)?.description == written)
  }

  @Test(arguments: [
    "", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "::1:80",
    "[127.0.0.1]:80", "[::1]", "example.com:80", "unix:", "unix:x", "unix:@x",
    "unix:/" + String(repeating: "x", count: 107),
  ])
  func isRefused(text: String) { #expect(HealthAddress(text) == nil) }
}
