import SeededRandom
import Supervision
import Testing

@Suite("Fuzzing answers to probes")
struct ResponseFuzzTests {
  private enum Outcome: Hashable {
    case response(HTTPResponse)
    case garbage
    case failure(HTTPFailure)
  }

  private static let damage = Damage(tokens: [
    "\r\n", "\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "Content-Length: ",
    "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "ffffffffffffffff\r\n", ":", " ", "\t", "X: y\r\n", "204",
    "304",
    "Connection: close\r\n", "Upgrade: websocket\r\n",
  ])
  private static let limits = HTTPLimits(head: 2048, body: 300)

  private static func response(_ random: inout SeededRandom) -> [UInt8] {
    let body = random.bytes(0...200)
    var text = random.chance(20) ? "HTTP/1.1 100 Continue\r\n\r\n" : ""
    text += "HTTP/1.\(random.chance(80) ? 1 : 0) \(Int.random(in: 200...599, using: &random)) Whatever\r\n"
    for index in 0..<Int.random(in: 0...4, using: &random) {
      text += "X-Field-\(index): \(random.next())\r\n"
    }
    switch Int.random(in: 0..<3, using: &random) {
    case 0: return Array((text + "Content-Length: \(body.count)\r\n\r\n").utf8) + body
    case 1:
      var chunks = Array((text + "Transfer-Encoding: chunked\r\n\r\n").utf8)
      var rest = body[...]
      while !rest.isEmpty {
        let chunk = rest.prefix(Int.random(in: 1...100, using: &random))
        chunks += Array((String(chunk.count, radix: 16) + "\r\n").utf8) + chunk + Array("\r\n".utf8)
        rest = rest.dropFirst(chunk.count)
      }
      return chunks + Array("0\r\n\r\n".utf8)
    default: return Array((text + "\r\n").utf8) + body
    }
  }

  /// What becomes of the bytes, received in pieces of these sizes, and then the end.
  private static func outcome(of bytes: [UInt8], pieces: ClosedRange<Int>, _ random: inout SeededRandom)
    -> Outcome
  {
    do throws(HTTPFailure) {
      let codec = try HTTPClientCodec(HTTPRequest(path: "/health", host: "localhost"), limits: Self.limits)
      defer { codec.close() }
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = rest.prefix(Int.random(in: pieces, using: &random))
        if let response = try codec.receive(piece) { return .response(response) }
        rest = rest.dropFirst(piece.count)
      }
      return .response(try codec.receiveEnd())
    } catch .garbage {
      return .garbage
    } catch {
      return .failure(error)
    }
  }

  @Test("A response is the same in whatever pieces it comes")
  func pieces() {
    let failures = FuzzRun.failures("response-pieces", cases: 1500) { random in
      let bytes = Self.response(&random)
      let whole = Self.outcome(of: bytes, pieces: bytes.count...bytes.count, &random)
      guard case .response = whole else { return "\(whole)" }
      for largest in [1, 7, 60] {
        let other = Self.outcome(of: bytes, pieces: 1...largest, &random)
        if other != whole { return "\(other) in pieces up to \(largest), \(whole) as a whole" }
      }
      return nil
    }
    #expect(failures == [])
  }

  @Test("A damaged response is a response within the limits, or none")
  func damaged() {
    var read = 0
    let failures = FuzzRun.failures("response-damage", cases: 3000) { random in
      let bytes = Self.damage.apply(to: Self.response(&random), using: &random)
      guard case .response(let response) = Self.outcome(of: bytes, pieces: 1...200, &random) else {
        return nil
      }
      read += 1
      // 1xx are not final.
      return (200...999).contains(response.status) && response.body.count <= Self.limits.body
        ? nil : "\(response)"
    }
    #expect(failures == [])
    #expect(read > 300 || FuzzRun.isReplaying)
  }
}
