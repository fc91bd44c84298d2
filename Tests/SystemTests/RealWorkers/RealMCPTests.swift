import Glibc
import Testing

extension SystemTests {
  /// Official MCP servers and clients under `procctl run`, with a stream open when the stop comes.
  @Suite(.needs(.realWorkers, "official MCP servers and clients")) struct RealMCP {
    private static let calls = """
      [{"tool": "list_files", "arguments": {}, "expect": "greeting.txt"},
       {"tool": "read_file", "arguments": {"path": "greeting.txt", "start_line": 2, "end_line": 2}, "expect": "second needle"},
       {"tool": "search", "arguments": {"pattern": "needle"}, "expect": "greeting.txt:2:second needle"},
       {"tool": "log", "arguments": {"limit": 1}, "expect": "Say hello"},
       {"tool": "show_commit", "arguments": {"revision": "HEAD"}, "expect": "+second needle"},
       {"tool": "blame", "arguments": {"path": "greeting.txt"}, "expect": "first"},
       {"tool": "read_file", "arguments": {"path": "../../etc/passwd"}, "expect": "", "error": true}]
      """

    private func repositoryWorker(
      _ repository: String, port: UInt16, ready: String = "http:/health", _ line: String = ""
    ) -> TestWorker {
      TestWorker(
        "alpha",
        program: ["\(Programs.directory)/repository-worker", "--repository", repository, "--port", "{port}"],
        port: port, ready: ready, line)
    }

    private func status(of repository: String) -> String {
      "[{\"tool\": \"git_status\", \"arguments\": {\"repo_path\": \"\(repository)\"}, \"expect\": \"nothing to commit\"}]"
    }

    // MARK: repository-worker

    @Test(
      "repository-worker ends its clients' streams in their protocol's own way",
      arguments: RealClient.Mode.allCases)
    func repositoryWorker(_ mode: RealClient.Mode) async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session, [self.repositoryWorker(try await session.repository(), port: port)])
        try await master.allReady()
        let client = try await RealClient(session, mode, port: port, calls: Self.calls)
        #expect(client.revision == mode.revision)
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < .seconds(8), "the request alone would have 10 s")
        let told = mode.revision == "2026-07-28" ? [] : ["notifications/shutdown"]
        #expect(try await client.end() == told + ["ended"])
      }
    }

    @Test("several clients of different revisions at once, of a worker that says itself when it is ready")
    func manyClients() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let stop = "stop = [ { request = \"POST /shutdown\", wait = \"10s\" } ]"
        let master = try MasterRun(
          session,
          [self.repositoryWorker(try await session.repository(), port: port, ready: "notify", stop)])
        try await master.allReady()
        let stateless = try await RealClient(session, .stateless, port: port)
        let legacy = try await RealClient(session, .legacy, port: port)
        #expect(try await master.stop().result.ending == .exited(0))
        #expect(try await stateless.end() == ["ended"])
        #expect(try await legacy.end() == ["notifications/shutdown", "ended"])
      }
    }

    @Test("a worker that crashes with a client connected is back on its port, and its client knows of it")
    func crash() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session, [self.repositoryWorker(try await session.repository(), port: port)])
        try await master.allReady()
        for mode in [RealClient.Mode.stateless, .legacy] {
          let client = try await RealClient(session, mode, port: port)
          let server = try #require(
            session.commands().first { $0.arguments.first?.hasSuffix("/repository-worker") == true })
          kill(server.process.pid, SIGKILL)
          let last = try #require(try await client.end().last)
          #expect(last.hasPrefix("cut off"), "what is not ended properly is not taken for it")
          try await master.expect("alpha ready")
        }
        let client = try await RealClient(session, .stateless, port: port, calls: Self.calls)
        #expect(try await master.stop().result.ending == .exited(0))
        #expect(try await client.end() == ["ended"])
      }
    }

    // MARK: The official git server

    /// It is served by uvicorn, whose streams its own library ends when TERM comes.
    @Test(
      "the official git server with a client connected: back after a crash, and ended by its preset's TERM")
    func gitServer() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let repository = try await session.repository()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "git",
              program: [
                try RealPrograms.server("python"), "\(RealPrograms.scripts)/git_server.py", repository,
                "{port}",
              ], port: port, "preset = \"uvicorn\"")
          ])
        try await master.allReady()
        var client = try await RealClient(session, .legacy, port: port, calls: self.status(of: repository))
        let server = try #require(
          session.commands().first { $0.arguments.dropFirst().first?.hasSuffix("/git_server.py") == true })
        kill(server.process.pid, SIGKILL)
        #expect(try await client.end().last?.hasPrefix("cut off") == true)
        try await master.expect("git ready")
        client = try await RealClient(session, .legacy, port: port, calls: self.status(of: repository))
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < .seconds(8))
        #expect(try await !client.end().isEmpty, "its stream is over")
      }
    }

    // MARK: mcp-proxy

    @Test(
      "mcp-proxy goes with its server, which it has put into a session of its own",
      arguments: Containment.possible.filter { $0 != .pidNamespace })
    func proxy(_ containment: Containment) async throws {
      try await withSession { session in
        let port = try session.freePort()
        let repository = try await session.repository()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "proxy",
              program: [
                try RealPrograms.proxy("mcp-proxy"), "--host", "127.0.0.1", "--port", "{port}", "--",
                try RealPrograms.server("mcp-server-git"), "--repository", repository,
              ], port: port, "preset = \"mcp-proxy\"", containment.line)
          ])
        try await master.allReady()
        let client = try await RealClient(session, .legacy, port: port, calls: self.status(of: repository))
        // A signal to the worker's process group would not get there.
        let commands = session.commands()
        let proxy = try #require(
          commands.first { $0.arguments.dropFirst().first?.hasSuffix("/mcp-proxy") == true })
        let server = try #require(
          commands.first { $0.arguments.dropFirst().first?.hasSuffix("/mcp-server-git") == true })
        #expect(server.process.session != proxy.process.session)
        #expect(server.process.group != proxy.process.group)
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < .seconds(8))
        #expect(try await !client.end().isEmpty, "its stream is over")
      }
    }
  }
}
