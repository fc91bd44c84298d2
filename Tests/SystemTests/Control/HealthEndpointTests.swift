import Glibc
import ProcCtl
import Supervision
import Testing

extension SystemTests {
  /// `[master] health`: what is answered, to whom, and until when.
  @Suite struct HealthEndpointSuite {
    private let deaf =
      "stop = [ { signal = \"TERM\", wait = \"25s\" }, { signal = \"KILL\" } ]"

    private func preamble(_ port: UInt16) -> String { "[master]\nhealth = \"127.0.0.1:\(port)\"" }

    @Test("alive, ready and metrics; HEAD, 404, 405; several requests on one connection")
    func pages() async throws {
      try await withSession { session in
        let (health, port) = (try session.freePort(), try session.freePort())
        let master = try MasterRun(
          session, preamble: self.preamble(health),
          [
            TestWorker("alpha", ["http", "{port}"], port: port, ready: "tcp"), TestWorker("beta", ["hold"]),
          ])
        try await master.allReady()
        let client = try RawClient(port: health)
        let alive = try await client.get("/healthz")
        #expect(alive.status == 200 && alive.body == "running\n")
        let ready = try await client.get("/readyz")
        #expect(ready.status == 200 && ready.body.contains("\"ready\":true"))
        let visitor = try RawClient(port: port)
        let metrics = try await client.get("/metrics")
        #expect(metrics.status == 200)
        #expect(metrics.head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        for line in [
          "procctl_up 1", "procctl_workers{state=\"ready\"} 2", "procctl_worker_up{worker=\"beta\"} 1",
          "procctl_worker_connections{worker=\"alpha\",port=\"\(port)\"} 1",
          "procctl_phase{phase=\"running\"} 1",
        ] { #expect(metrics.body.contains(line + "\n"), "\(line)") }
        _ = visitor
        let head = try await client.get("/metrics", method: "HEAD")
        #expect(head.status == 200 && head.head.contains("Content-Length: "))
        #expect(try await client.get("/nothing").status == 404)
        let post = try await client.get("/healthz", method: "POST")
        #expect(post.status == 405 && post.head.contains("Allow: GET, HEAD\r\n"))
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("a Unix socket is served, is not in the way of the next start, and is gone after an orderly end")
    func unixSocket() async throws {
      try await withSession { session in
        let path = session.path("health.socket")
        let preamble = "[master]\nhealth = \"unix:\(path)\""
        let killed = try MasterRun(session, preamble: preamble, [TestWorker("alpha", ["hold"])])
        try await killed.allReady()
        #expect(try await RawClient(path: path).get("/readyz").status == 200)
        killed.process.send(SIGKILL)
        _ = try await killed.process.end()
        #expect(access(path, F_OK) == 0)
        let master = try MasterRun(session, preamble: preamble, [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        #expect(try await RawClient(path: path).get("/healthz").status == 200)
        _ = try await master.stop()
        #expect(access(path, F_OK) != 0)
      }
    }

    @Test("not ready before every worker is, and never again once a stop has begun; answered to the end")
    func throughAStop() async throws {
      try await withSession { session in
        let health = try session.freePort()
        let fifo = try session.announcements("gate")
        let master = try MasterRun(
          session, preamble: self.preamble(health),
          [
            TestWorker("slow", ["await", Bytes(fifo.path), "notify", "READY=1"], ready: "notify"),
            TestWorker("deaf", ["ignore", "TERM", "notify", "READY=1"], ready: "notify", self.deaf),
            TestWorker("fast", ["hold"]),
          ])
        for line in ["deaf ready", "fast ready"] {
          try await master.log.expect(line, from: 0, within: .seconds(15))
        }
        let client = try RawClient(port: health)
        let early = try await client.get("/readyz")
        #expect(early.status == 503)
        let missing =
          #"{"name":"slow","state":"starting","trouble":"none of its processes has sent READY=1"}"#
        #expect(early.body.contains(missing), "\(early.body)")
        #expect(!early.body.contains("\"name\":\"fast\""))
        try fifo.open()
        try await master.allReady()
        #expect(try await client.get("/readyz").status == 200)
        master.process.send(SIGTERM)
        try await master.expect("stopping: ")
        let during = try await client.get("/readyz")
        #expect(during.status == 503)
        #expect(
          during.body.contains("\"phase\":\"stopping\"") && during.body.contains("\"reason\":\"SIGTERM"))
        #expect(try await client.get("/healthz").body == "stopping\n")
        #expect(try await client.get("/metrics").body.contains("procctl_ready 0\n"))
        // Others can still come.
        #expect(try await RawClient(port: health).get("/readyz").status == 503)
        master.process.send(SIGQUIT)
        #expect(try await master.process.end().ending == .exited(3))
        #expect(throws: RawClient.ConnectionError(number: ECONNREFUSED)) { try RawClient(port: health) }
        #expect(try await client.expectEnd())
        // For everybody: no connection of ours is in TIME_WAIT.
        #expect(try PortCheck().state(of: health) == .free)
      }
    }

    @Test("a port that somebody has is a clear error, and nothing is started")
    func busy() async throws {
      try await withSession { session in
        let other = try LoopbackSocket(listens: true)
        let master = try MasterRun(
          session, preamble: self.preamble(other.port), [TestWorker("alpha", ["hold"])])
        let result = try await master.process.end()
        #expect(result.ending == .exited(69))
        #expect(
          result.errors.contains("[master] health: listen on 127.0.0.1:\(other.port) (held by"),
          "\(result.errors)")
        #expect(result.errors.contains("pid \(getpid())"))
      }
    }

    @Test("neither 200 idle clients nor garbage, half requests and a flood keep an honest one waiting")
    func hostile() async throws {
      try await withSession { session in
        let health = try session.freePort()
        let master = try MasterRun(
          session, preamble: self.preamble(health), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let descriptors = ProcTable.descriptorCount(of: master.pid)
        var idle: [RawClient] = []
        for number in 0..<200 {
          let client = try RawClient(port: health)
          if number.isMultiple(of: 3) { client.say("GET /healthz HT") }
          idle.append(client)
        }
        #expect(try await RawClient(port: health).get("/readyz").status == 200)
        #expect((ProcTable.descriptorCount(of: master.pid)) <= descriptors + 65)

        let garbage = try RawClient(port: health)
        garbage.say([0x16, 0x03, 0x01, 0x00, 0xff, 0x00])
        #expect(try await garbage.expectEnd())
        #expect(garbage.text.hasPrefix("HTTP/1.1 400 "))
        let large = try RawClient(port: health)
        large.say("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 20_000))
        #expect(try await large.expectEnd())
        #expect(large.text.hasPrefix("HTTP/1.1 431 "), "\(large.text)")

        // Many requests at once, whose answers nobody takes; and then the honest one.
        let flood = try RawClient(port: health)
        let request = Array("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        let many = [[UInt8]](repeating: request, count: 4000).joined()
        _ = flood.say(Array(many))
        let stopwatch = Stopwatch()
        #expect(try await RawClient(port: health).get("/readyz").status == 200)
        #expect(stopwatch.elapsed < .seconds(10))

        // In order and none left out, for one that does read.
        let pipelined = try RawClient(port: health)
        for _ in 0..<20 { pipelined.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") }
        pipelined.say("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(try await pipelined.expectEnd())
        #expect(pipelined.text.components("HTTP/1.1 200 OK").count == 20)
        #expect(pipelined.text.components("HTTP/1.1 404 ").count == 1)

        idle = []
        try await session.until("its descriptors are closed") {
          ProcTable.descriptorCount(of: master.pid) <= descriptors + 1
        }
        _ = flood
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0))
        #expect(took < .seconds(8))
      }
    }

    @Test("who asks and resets the connection before it is answered harms nobody")
    func reset() async throws {
      try await withSession { session in
        let health = try session.freePort()
        let master = try MasterRun(
          session, preamble: self.preamble(health), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        for request in [
          "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
          "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "garbage\r\n\r\n",
        ] {
          // Request and reset are both there when it comes to read.
          master.process.send(SIGSTOP)
          try await session.untilState(of: master.pid, is: "T")
          try {
            let client = try RawClient(port: health)
            client.say(request)
            client.resetOnClose()
          }()
          master.process.send(SIGCONT)
          #expect(try await RawClient(port: health).get("/healthz").status == 200)
        }
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("a request that comes drop by drop is given up, and so is a silent connection")
    func slow() async throws {
      try await withSession { session in
        let health = try session.freePort()
        let master = try MasterRun(
          session, preamble: self.preamble(health), [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let (dripping, silent) = (try RawClient(port: health), try RawClient(port: health))
        let stopwatch = Stopwatch()
        let words = ["GET /he", "althz H", "TTP/1.1", "\r\nHost", ": x\r\nX"]
        for word in words {
          dripping.say(word)
          _ = try await dripping.expectEnd(within: .milliseconds(300))
        }
        #expect(try await dripping.expectEnd())
        #expect(try await silent.expectEnd())
        #expect(stopwatch.elapsed < .seconds(10))
        #expect(dripping.text == "" && silent.text == "")
        _ = try await master.stop()
      }
    }
  }
}

extension String {
  fileprivate func components(_ separator: String) -> [Range<String.Index>] { self.ranges(of: separator) }
}

extension ProcTable {
  /// How many descriptors the process has open.
  static func descriptorCount(of pid: pid_t) -> Int {
    guard let directory = opendir("/proc/\(pid)/fd") else { return 0 }
    defer { closedir(directory) }
    var count = -2
    while readdir(directory) != nil { count += 1 }
    return count
  }
}
