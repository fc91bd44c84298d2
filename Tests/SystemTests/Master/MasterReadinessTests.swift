import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: when a worker counts as ready, and who has its port.
  @Suite struct MasterReadiness {
    /// Long enough for several looks of the master's, which are at most 250 ms apart.
    private static let severalLooks = Duration.milliseconds(800)

    @Test(
      "by its port, once the worker itself listens there; by http, once it answers",
      arguments: ["tcp", "http:/health"])
    func byPort(_ kind: String) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", Bytes(fifo.path), "up", "await", Bytes(gate.path), "http", "{port}"],
              port: port,
              ready: kind)
          ])
        try await fifo.expect("up")
        #expect(await !master.says("alpha ready", within: Self.severalLooks))
        // Somebody else's listener is no answer.
        var stranger: LoopbackSocket? = try LoopbackSocket(port: port, listens: true)
        #expect(stranger?.port == port)
        #expect(await !master.says("alpha ready", within: Self.severalLooks))
        stranger = nil
        try gate.open()
        try await master.allReady()
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("http needs an answer: a listener that says nothing is not ready")
    func silent() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["listen", "{port}", "tell", Bytes(fifo.path), "up"], port: port,
              ready: "http:/health",
              "start-timeout = \"1500ms\"", "backoff = { first = \"60s\", max = \"60s\" }")
          ])
        try await fifo.expect("up")
        #expect(await !master.says("alpha ready", within: Self.severalLooks))
        let status = try await session.procctl("status", Bytes(session.path("procctl.toml"))).end()
        #expect(status.ending == .exited(1) && status.outputText.contains("GET /health is not answered"))
        try await master.expect("not ready within 1.5s: GET /health is not answered")
        _ = try await master.stop()
      }
    }

    @Test("what it lacks is said: another answer, another port")
    func lacking() async throws {
      try await withSession { session in
        let (refusing, right, wrong) = (
          try session.freePort(), try session.freePort(), try session.freePort()
        )
        let late = ["start-timeout = \"2s\"", "backoff = { first = \"60s\", max = \"60s\" }"]
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["http-stubborn", "{port}"], port: refusing, ready: "http:/absent", late[0], late[1]),
            TestWorker("beta", ["http", Bytes("\(wrong)")], port: right, ready: "tcp", late[0], late[1]),
          ])
        try await master.expect("beta stopping")
        _ = try await master.stop()
        #expect(master.said.contains("not ready within 2s: GET /absent: HTTP status 404"))
        #expect(
          master.said.contains(
            "not ready within 2s: none of its processes listens on port \(right), but on 127.0.0.1:\(wrong)"))
      }
    }

    @Test("by notify: READY=1 from the worker's own processes, and from nobody else")
    func notify() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let gate = try session.announcements("gate")
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha",
              [
                "child", "session", "await", Bytes(gate.path), "notify", "READY=1\nSTATUS=serving", "end",
                "tell",
                Bytes(fifo.path), "up",
              ], ready: "notify")
          ])
        let worker = try #require(try await fifo.expect("up")["up"])
        let variables = (ProcTable.bytes("/proc/\(worker)/environ") ?? []).split(separator: 0)
        let address = try #require(variables.first { $0.starts(with: "NOTIFY_SOCKET=".utf8) })
        var stranger = Launch(Programs.workload, ["notify", "READY=1", "exit", "0"])
        stranger.environment = [Bytes(Array(address))]
        #expect(try await session.start(stranger).end().ending == .exited(0))
        #expect(await !master.says("alpha ready", within: Self.severalLooks))
        try gate.open()
        try await master.allReady()
        #expect(try await master.stop().result.ending == .exited(0))
      }
    }

    @Test("a worker that does not become ready in time is ended and started again")
    func startTimeout() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", Bytes(fifo.path), "up"], ready: "notify", "start-timeout = \"300ms\"")
          ])
        let first = try #require(try await fifo.expect("up")["up"])
        try await master.expect("not ready within 300ms: none of its processes has sent READY=1")
        let second = try #require(try await fifo.expect("up")["up"])
        #expect(first != second)
        #expect(ProcTable.process(first) == nil)
        _ = try await master.stop()
      }
    }

    @Test(
      "a port somebody has blocks the worker: the owner is named, nothing is hammered, and it starts once it is free"
    )
    func blocked() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        var owner: LoopbackSocket? = try LoopbackSocket(listens: true)
        let port = try #require(owner?.port)
        let other = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["tell", Bytes(fifo.path), "up", "http", "{port}"], port: port, ready: "tcp"),
            TestWorker("beta", ["http", "{port}"], port: other, ready: "tcp"),
          ])
        try await master.expect("alpha blocked")
        #expect(master.said.contains("port \(port)") && master.said.contains("pid \(getpid())"))
        try await master.expect("beta ready")
        // It is looked at again after 1 and after 3 s, without another word.
        #expect(await !master.says("alpha", within: .milliseconds(3500)))
        #expect(master.said.components(of: "alpha blocked") == 1)
        #expect(fifo.rest().isEmpty, "it was not started")
        owner = nil
        try await master.expect("alpha ready")
        #expect(try await master.stop().result.ending == .exited(0))
        _ = owner
      }
    }

    @Test("a port that is taken over while its worker is gone blocks the next one, with the new owner's name")
    func takenOver() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let borrower = try SocketBorrower(path: session.path("lend"))
        let master = try MasterRun(
          session, preamble: "[shutdown]\nports = \"300ms\"",
          [
            TestWorker(
              "alpha", ["lend-listener", "{port}", Bytes(borrower.path), "tell", Bytes(fifo.path), "up"],
              port: port)
          ])
        let socket = try await borrower.borrowed()
        let worker = try #require(try await fifo.expect("up")["up"])
        kill(worker, SIGKILL)
        try await master.expect("port \(port)")
        try await master.expect("pid \(getpid())")
        #expect(fifo.rest().isEmpty)
        close(socket)
        let result = try await master.stop().result
        #expect(result.ending == .exited(0), "\(result.errors)")
      }
    }
  }
}
