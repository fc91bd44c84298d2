import Glibc
import ProcCtl
import Supervision
import SystemPackage
import Testing

@Suite("HTTP exchanges", .serialized)
struct ProbeHTTPExchangeTests {
  private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

  private func exchange(
    with server: ProbeTestServer, _ request: HTTPRequest = HTTPRequest(path: "/health", host: "localhost"),
    within limit: Duration = .seconds(60), limits: HTTPLimits = HTTPLimits()
  ) throws -> HTTPExchange.Outcome {
    let outcome: HTTPExchange.Outcome = try onLoop { loop, done in
      HTTPExchange(
        on: loop, to: server.address, request, deadline: .now.advanced(by: limit), limits: limits,
        completion: done
      ).start()
    }
    if server.port != 0 { #expect(try openClients(of: server.port) == 0) }
    return outcome
  }

  @Test("gets a response over TCP, on IPv4 and IPv6, and over a Unix socket")
  func response() throws {
    let servers = [
      try ProbeTestServer(serve: Self.serve), try ProbeTestServer(on: .loopbackV6, serve: Self.serve),
      try ProbeTestServer(unixPath: "@procctl-http-\(getpid())", serve: Self.serve),
    ]
    for server in servers {
      let response = try self.exchange(with: server).get()
      #expect(response.status == 200)
      #expect(response.body == Array("ok".utf8))
    }
  }

  private static let serve: @Sendable (ServedConnection) -> Void = { connection in
    _ = connection.readRequest()
    connection.send(Self.ok)
    connection.waitForEnd()
  }

  @Test("sends the body of a request, however long the server lets it wait")
  func body() throws {
    let size = 3_000_000
    let server = try ProbeTestServer { connection in
      let head = connection.readRequest()
      guard head.contains("Content-Length: \(size)\r\n") else { return }
      // More than the socket's buffers hold: the rest is sent as we read.
      var buffer = [UInt8](repeating: 0, count: 65536)
      var count = 0
      while count < size {
        let read = recv(connection.descriptor, &buffer, buffer.count, 0)
        guard read > 0, buffer.prefix(read).allSatisfy({ $0 == 7 }) else { return }
        count += read
      }
      connection.send(Self.ok)
      connection.waitForEnd()
    }
    let request = HTTPRequest(
      method: "POST", path: "/", host: "localhost", body: Array(repeating: 7, count: size))
    #expect(try self.exchange(with: server, request).get().status == 200)
  }

  @Test("takes the answer of a server that does not want the body")
  func refusedBody() throws {
    let server = try ProbeTestServer { connection in
      _ = connection.readRequest()
      connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
      shutdown(connection.descriptor, Int32(SHUT_WR))
      connection.waitForEnd()
    }
    let request = HTTPRequest(
      method: "POST", path: "/", host: "localhost", body: Array(repeating: 7, count: 5_000_000))
    #expect(try self.exchange(with: server, request).get().status == 413)
  }

  @Test("reports a status as a response, whatever it says", arguments: [204, 302, 404, 500, 503])
  func statuses(status: Int) throws {
    let server = try ProbeTestServer { connection in
      _ = connection.readRequest()
      connection.send("HTTP/1.1 \(status) Whatever\r\nContent-Length: 0\r\n\r\n")
      connection.waitForEnd()
    }
    #expect(try self.exchange(with: server).get().status == status)
  }

  @Test("a server that says nothing is a timeout at the deadline")
  func hang() throws {
    let server = try ProbeTestServer { $0.waitForEnd() }
    let start = MonotonicInstant.now
    let expected = HTTPExchange.Outcome.failure(.timedOut(.waiting))
    let outcome = try withinShortTime(.milliseconds(150), expecting: expected) {
      try self.exchange(with: server, within: $0)
    }
    #expect(outcome == expected)
    #expect(start.duration(to: .now) >= .milliseconds(150))
  }

  @Test("a slow drip does not move the deadline")
  func drip() throws {
    let server = try ProbeTestServer { connection in
      _ = connection.readRequest()
      connection.send("HTTP/1.1 200 OK\r\nX-Slow: ")
      // One byte at a time, for ever.
      while connection.send("a") { connection.dawdle(milliseconds: 10) }
    }
    let expected = HTTPExchange.Outcome.failure(.timedOut(.receiving))
    let outcome = try withinShortTime(.milliseconds(300), expecting: expected) {
      try self.exchange(with: server, within: $0)
    }
    #expect(outcome == expected)
  }

  @Test("a slow drip that ends in time is a response")
  func dripInTime() throws {
    let server = try ProbeTestServer { connection in
      _ = connection.readRequest()
      for character in Self.ok where connection.send(String(character)) { connection.dawdle(milliseconds: 1) }
      connection.waitForEnd()
    }
    #expect(try self.exchange(with: server).get().body == Array("ok".utf8))
  }

  @Test("garbage, an early close, a reset and a huge head are told apart")
  func misbehaviour() throws {
    let garbage = try ProbeTestServer { connection in
      connection.send("SSH-2.0-OpenSSH_9.2p1 Debian\r\n")
      connection.waitForEnd()
    }
    guard case .failure(.garbage) = try self.exchange(with: garbage) else {
      Issue.record("garbage was not seen as such")
      return
    }
    let early = try ProbeTestServer { connection in
      _ = connection.readRequest()
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nsome")
    }
    #expect(try self.exchange(with: early) == .failure(.closedEarly))
    let atOnce = try ProbeTestServer { _ in }
    #expect(try self.exchange(with: atOnce) == .failure(.closedEarly))
    let reset = try ProbeTestServer { connection in
      _ = connection.readRequest()
      connection.resetOnClose()
    }
    #expect(try self.exchange(with: reset) == .failure(.closedEarly))
    let huge = try ProbeTestServer { connection in
      _ = connection.readRequest()
      connection.send("HTTP/1.1 200 OK\r\n")
      while connection.send("X-Long: \(String(repeating: "a", count: 1000))\r\n") {}
    }
    #expect(try self.exchange(with: huge) == .failure(.tooLarge(limit: HTTPLimits().head)))
  }

  @Test("an endless body ends at its limit")
  func endlessBody() throws {
    let server = try ProbeTestServer { connection in
      _ = connection.readRequest()
      connection.send("HTTP/1.1 200 OK\r\n\r\n")
      while connection.send(String(repeating: "a", count: 1000)) {}
    }
    let response = try self.exchange(with: server, limits: HTTPLimits(body: 5000)).get()
    #expect(response.body.count == 5000)
    #expect(response.isBodyTruncated)
  }

  @Test("is refused where nobody listens, and refuses to send nonsense")
  func refused() throws {
    let port = try unusedPort()
    let outcome: HTTPExchange.Outcome = try onLoop { loop, done in
      HTTPExchange(
        on: loop, to: .tcp(.loopbackV4, port: port), HTTPRequest(path: "/", host: "h"),
        deadline: .now.advanced(by: .seconds(60)), completion: done
      ).start()
    }
    #expect(outcome == .failure(.refused))
    let server = try ProbeTestServer(serve: Self.serve)
    #expect(
      try self.exchange(with: server, HTTPRequest(path: "/a b", host: "h"))
        == .failure(.invalidRequest("GET /a b")))
  }

  @Test("cancelled at any moment: completes once, with that, and leaves no descriptor")
  func cancel() throws {
    let server = try ProbeTestServer { $0.waitForEnd() }
    for delay in [-1, 0, 0, 1, 2, 5] {
      let outcome: HTTPExchange.Outcome = try onLoop { loop, done in
        let exchange = HTTPExchange(
          on: loop, to: server.address, HTTPRequest(path: "/", host: "h"),
          deadline: .now.advanced(by: .seconds(60)), completion: done)
        exchange.start()
        if delay < 0 { return exchange.cancel() }
        loop.schedule(at: .now.advanced(by: .milliseconds(delay))) {
          exchange.cancel()
          exchange.cancel()
        }
      }
      #expect(outcome == .failure(.cancelled))
      #expect(try openClients(of: server.port) == 0)
    }
  }

  @Test("a cancellation that comes with the response completes once")
  func cancelRace() throws {
    let server = try ProbeTestServer(serve: Self.serve)
    for _ in 0..<50 {
      let outcome: HTTPExchange.Outcome = try onLoop { loop, done in
        var exchange: HTTPExchange?
        exchange = HTTPExchange(
          on: loop, to: server.address, HTTPRequest(path: "/", host: "h"),
          deadline: .now.advanced(by: .seconds(60)),
          completion: { outcome in
            exchange?.cancel()
            exchange = nil
            done(outcome)
          })
        exchange?.start()
        loop.schedule(at: .now.advanced(by: .microseconds(Int.random(in: 0...600)))) { exchange?.cancel() }
      }
      #expect(outcome == .failure(.cancelled) || (try? outcome.get().status) == 200)
    }
    #expect(try openClients(of: server.port) == 0)
  }

  @Test("many at once on one loop, each with its own answer")
  func many() throws {
    let server = try ProbeTestServer { connection in
      let path = connection.readRequest().split(separator: " ")[1]
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(path.count)\r\n\r\n\(path)")
      connection.waitForEnd()
    }
    let answers: [String] = try onLoop { loop, done in
      var answers: [String] = []
      for number in 0..<100 {
        let request = HTTPRequest(path: "/\(number)", host: "h")
        HTTPExchange(
          on: loop, to: server.address, request, deadline: .now.advanced(by: .seconds(60))
        ) { outcome in
          let body = (try? outcome.get().body) ?? []
          answers.append(String(decoding: body, as: UTF8.self) == request.path ? "own" : "\(outcome)")
          if answers.count == 100 { done(answers) }
        }.start()
      }
    }
    #expect(answers.allSatisfy { $0 == "own" })
    #expect(try openClients(of: server.port) == 0)
  }

  @Test("leaves the TIME_WAIT on our port; a server that closes first keeps it")
  func whoClosesFirst() throws {
    let polite = try ProbeTestServer(serve: Self.serve)
    #expect(try self.exchange(with: polite).get().status == 200)
    polite.stop()
    let ours = try SocketTable.read(states: .timeWait)
    #expect(ours.contains { $0.remotePort == polite.port })
    #expect(!ours.contains { $0.localPort == polite.port })

    let hasty = try ProbeTestServer { connection in
      _ = connection.readRequest()
      connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")
    }
    #expect(try self.exchange(with: hasty).get().status == 200)
    hasty.stop()
    #expect(try SocketTable.read(ports: [hasty.port], states: .timeWait).count == 1)
  }
}
