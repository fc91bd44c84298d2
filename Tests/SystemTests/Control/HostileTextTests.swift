import SeededRandom
import Testing

extension SystemTests {
  /// What somebody may write on a command line or send to a door, damaged at random: the same each time.
  @Suite struct HostileText {
    /// What stands before a text, a good one, and what stands behind it. Nothing here ends anybody.
    private static let places: [(before: [String], text: String, after: [String])] = [
      (["spawn", "--grace"], "250ms", ["--", "true"]), (["spawn", "--timeout"], "1.5h", ["--", "true"]),
      (["spawn", "--signal"], "RTMIN+3", ["--", "true"]),
      (["spawn", "--map-signal"], "TERM:INT", ["--", "true"]),
      (["spawn", "--limit"], "nofile=1024:4096", ["--", "true"]),
      (["spawn", "--umask"], "022", ["--", "true"]),
      (["spawn", "--nice"], "-5", ["--", "true"]), (["spawn", "--oom-score-adj"], "500", ["--", "true"]),
      (["spawn", "--user"], "nobody", ["--", "true"]), (["spawn", "--group"], "65534", ["--", "true"]),
      (["spawn", "--user", "0", "--group"], "nogroup", ["--", "true"]),
      (["spawn", "--ambient-caps"], "net_bind_service,kill", ["--", "true"]),
      (["spawn", "--env"], "NAME=VALUE", ["--", "true"]), (["spawn", "--name"], "web-1", ["--", "true"]),
      (["spawn", "--contain"], "session", ["--", "true"]),
      (["spawn", "--chdir"], "/tmp/..", ["--", "true"]),
      (["spawn"], "--no-new-privs", ["--", "true"]), (["spawn", "--"], "/bin/true", []),
      (["kill-group", "--dry-run", "--"], "4194303@812", []),
      (["kill-group", "--dry-run", "--"], "@/etc/a.toml/web", []),
      (["kill-group", "--dry-run", "--"], "web-1", []), (["kill-group", "--dry-run", "--port"], "9", []),
      (["kill-group", "--dry-run", "--scope"], "session", ["4194303"]),
      (["check", "--timeout-stop"], "1min 30s", []), (["check"], "/nowhere/procctl.toml", []),
      (["report", "--back"], "3", []), (["why"], "alpha", []), (["status"], "/nowhere/procctl.toml", []),
      (["stop", "--timeout", "1s", "--config", "/nowhere.toml"], "alpha", []), ([], "nonsense", []),
    ]

    private static let damage = Damage(tokens: [
      "-", "--", "=", ":", ",", "@", "/", ".", "..", "+", "ms", "s", "h", "SIG", "unlimited", "0x", " ", "\n",
      "\t",
      "\u{1B}[2J", "\u{202E}", "\u{2028}", "\u{85}", "\\", "\"", "'", "%s%n", "e9", "inf", "nan", "root",
    ])

    @Test("a command line is carried out, or refused with one line that a terminal does not act on")
    func commandLine() async throws {
      try await withSession { session in
        var random = SeededRandom(seed: 20)
        var refused = 0
        for place in Self.places + Self.places {
          let text = Self.damage.apply(to: Array(place.text.utf8), using: &random).filter { $0 != 0 }
          // One argument is at most 128 KiB (execve(2)), and help is no refusal.
          guard text.count < 100_000, !text.starts(with: "-h".utf8), !text.starts(with: "--h".utf8) else {
            continue
          }
          let arguments = place.before.map { Bytes($0) } + [Bytes(text)] + place.after.map { Bytes($0) }
          let result = try await session.procctl(arguments).end()
          let what: Comment = "\(arguments.map { String(decoding: $0.bytes, as: UTF8.self) }): \(result)"
          guard case .exited(let status) = result.ending else {
            Issue.record("a signal: \(what)")
            continue
          }
          #expect(![132, 133, 134, 139].contains(status), what)
          #expect(Self.isSafe(result.errors), what)
          guard status == 64 else { continue }
          refused += 1
          #expect(result.errors.hasPrefix("procctl: "), what)
          #expect(result.errors.split(separator: "\n").count == 1, what)
        }
        #expect(refused > 10)
      }
    }

    /// Lines, in which nothing is acted on, hidden or turned around.
    private static func isSafe(_ text: String) -> Bool {
      text.unicodeScalars.allSatisfy { scalar in
        switch scalar.properties.generalCategory {
        case .control: scalar == "\n"
        case .format, .lineSeparator, .paragraphSeparator: false
        default: true
        }
      }
    }

    private static let requests = [
      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      "POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "HEAD /metrics HTTP/1.0\r\nContent-Length: 3\r\nX: y\r\n\r\nabc",
    ]
    private static let calls = [
      "{\"method\":\"dev.procctl.Master.Status\",\"parameters\":{}}\0{\"method\":\"org.varlink.service.GetInfo\"}\0",
      "{\"method\":\"dev.procctl.Master.Monitor\",\"more\":true,\"parameters\":{\"workers\":[\"alpha\"]}}\0",
      "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"x\"}}\0",
    ]
    private static let pieces = Damage(tokens: [
      "\r\n", "\r\n\r\n", "Content-Length: ", "Transfer-Encoding: chunked\r\n", "Upgrade: h2c\r\n",
      "HTTP/2.0", "\0",
      "{", "}", "[", "\"", "null", "\\u0000", "Expect: 100-continue\r\n", "CONNECT ",
    ])

    @Test("whatever is sent to the doors, they answer the next one, and the master ends in order")
    func doors() async throws {
      try await withSession { session in
        let health = try session.freePort()
        let control = session.path("control.socket")
        let master = try MasterRun(
          session, preamble: "[master]\nhealth = \"127.0.0.1:\(health)\"\ncontrol = \"\(control)\"",
          [TestWorker("alpha", ["hold"])])
        try await master.allReady()
        let descriptors = ProcTable.descriptorCount(of: master.pid)
        var random = SeededRandom(seed: 21)
        var open: [RawClient] = []
        for round in 0..<240 {
          let isHealth = round.isMultiple(of: 2)
          let whole = random.pick(isHealth ? Self.requests : Self.calls) ?? ""
          let client = isHealth ? try RawClient(port: health) : try RawClient(path: control)
          client.say(Self.pieces.apply(to: Array(whole.utf8), using: &random))
          // Some say no more, some stay, some leave in the middle.
          if random.chance(30) { client.finishSaying() }
          if random.chance(40) { open.append(client) }
        }
        #expect(try await RawClient(port: health).get("/readyz").status == 200)
        #expect(
          try await RawClient(path: control).call("dev.procctl.Master.Status").contains("\"ready\":true"))
        open = []
        try await session.until("its descriptors are closed") {
          ProcTable.descriptorCount(of: master.pid) <= descriptors + 2
        }
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }
  }
}
