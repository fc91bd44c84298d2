import Glibc
import Testing

extension SystemTests {
  /// Servers as they are in use, each ended by its preset.
  @Suite(.needs(.realWorkers, "uvicorn, gunicorn, nginx and redis")) struct RealServers {
    private let brief = "[shutdown]\ngraceful = 1\nworkers = 8"

    private func uvicorn(_ lines: String, port: UInt16) throws -> TestWorker {
      TestWorker(
        "web",
        program: [
          try RealPrograms.server("uvicorn"), "--app-dir", RealPrograms.scripts, "--port", "{port}",
          "asgi_app:app",
        ], port: port, ready: "http:/health", lines, "environment = { PYTHONDONTWRITEBYTECODE = \"1\" }")
    }

    // MARK: uvicorn

    @Test("uvicorn with a stream open: TERM alone never ends it, the preset's INT after it does")
    func uvicornStream() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session, preamble: self.brief, [try self.uvicorn("preset = \"uvicorn\"", port: port)])
        try await master.allReady()
        let reader = try await session.reader(port, "/events")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(2), "\(result.errors)")
        #expect(took >= .seconds(1) && took < .seconds(7))
        #expect(try await reader.end().outputText.hasSuffix("cut off\n"))
      }
      // The control: without the preset's second signal it is there until its client is disconnected by
      // force, a quarter of its time before KILL, or until KILL where that cannot be done.
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session, preamble: self.brief,
          [try self.uvicorn("stop = [ { signal = \"TERM\", wait = \"4s\" } ]", port: port)])
        try await master.allReady()
        let reader = try await session.reader(port, "/events")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(1) || result.ending == .exited(3), "\(result.errors)")
        #expect(took >= .seconds(3))
        _ = try await reader.end()
      }
    }

    @Test(
      "uvicorn without a stream ends on TERM: an idle connection is closed, a request answered to its end")
    func uvicornRequest() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session, preamble: "[shutdown]\ngraceful = 8",
          [try self.uvicorn("preset = \"uvicorn\"", port: port)])
        try await master.allReady()
        let idle = try await session.reader(port, "/health")
        let slow = try await session.reader(port, "/slow")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < .seconds(6))
        #expect(try await idle.end().outputText.hasSuffix("ended\n"))
        #expect(try await slow.end().outputText.hasSuffix("ended\n"))
      }
    }

    // MARK: gunicorn

    @Test("gunicorn with two workers ends on TERM, and a request is answered to its end")
    func gunicorn() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "web",
              program: [
                try RealPrograms.server("gunicorn"), "--bind", "127.0.0.1:{port}", "--workers", "2",
                "--threads", "2", "--no-control-socket", "--pythonpath", RealPrograms.scripts, "wsgi_app:app",
              ], port: port, "preset = \"gunicorn\"", "environment = { PYTHONDONTWRITEBYTECODE = \"1\" }")
          ])
        try await master.allReady()
        let slow = try await session.reader(port, "/")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < .seconds(10))
        #expect(try await slow.end().outputText.hasSuffix("ended\n"))
      }
    }

    // MARK: nginx

    private func nginx(_ session: TestSession, port: UInt16) throws -> TestWorker {
      let program = try #require(RealPrograms.debian("nginx"))
      let directory = session.path("nginx")
      guard mkdir(directory, 0o755) == 0 else { throw WaitError("mkdir: \(errno)") }
      _ = try session.write(String(repeating: "0123456789", count: 20000), to: "nginx/large")
      _ = try session.write("small\n", to: "nginx/small")
      let configuration = try session.write(
        """
        daemon off; pid nginx.pid; worker_processes 2; error_log stderr;
        \(geteuid() == 0 ? "user nobody nogroup;" : "")
        events { worker_connections 64; }
        http {
          access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
          uwsgi_temp_path uwsgi; scgi_temp_path scgi;
          server {
            listen 127.0.0.1:\(port);
            root .;
            location /large { limit_rate 1k; }
          }
        }
        """, to: "nginx/nginx.conf")
      return TestWorker(
        "web", program: [program, "-e", "stderr", "-p", directory, "-c", configuration], port: port,
        "preset = \"nginx\"", "environment = { LD_LIBRARY_PATH = \"\(RealPrograms.libraries)\" }")
    }

    @Test(
      "nginx ends on QUIT, and an idle connection is closed",
      .needs(.debianProgram("nginx"), "it is what is ended"))
    func nginxIdle() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(
          session, preamble: "[shutdown]\ngraceful = 8", [try self.nginx(session, port: port)])
        try await master.allReady()
        let idle = try await session.reader(port, "/small")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < .seconds(5))
        #expect(try await idle.end().outputText.hasSuffix("ended\n"))
      }
    }

    @Test(
      "nginx that serves a slow client is still there after QUIT, and ends on TERM",
      .needs(.debianProgram("nginx"), "it is what is ended"))
    func nginxBusy() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let master = try MasterRun(session, preamble: self.brief, [try self.nginx(session, port: port)])
        try await master.allReady()
        let slow = try await session.reader(port, "/large")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(2), "\(result.errors)")
        #expect(took >= .seconds(1) && took < .seconds(6))
        #expect(try await slow.end().outputText.hasSuffix("cut off\n"))
      }
    }

    // MARK: redis

    @Test(
      "redis ends on TERM with a client connected, and what it held is there again",
      .needs(.debianProgram("redis-server"), "it is what is ended"))
    func redis() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let server = try #require(RealPrograms.debian("redis-server"))
        let client = try #require(RealPrograms.debian("redis-cli"))
        let worker = TestWorker(
          "store",
          program: [
            server, "--port", "{port}", "--bind", "127.0.0.1", "--dir", session.directory, "--save", "3600 1",
            "--daemonize", "no",
          ], port: port, "preset = \"redis\"",
          "environment = { LD_LIBRARY_PATH = \"\(RealPrograms.libraries)\" }")
        func command(_ words: String...) throws -> TestProcess {
          var launch = Launch(client, (["-h", "127.0.0.1", "-p", "\(port)"] + words).map { Bytes($0) })
          launch.environment = ["LD_LIBRARY_PATH=\(RealPrograms.libraries)"]
          return try session.start(launch)
        }
        let master = try MasterRun(session, [worker])
        try await master.allReady()
        #expect(try await command("set", "key", "kept").end().outputText == "OK\n")
        let watcher = try command("subscribe", "news")
        try await watcher.output?.expect("subscribe")
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < .seconds(5))
        watcher.send(SIGKILL)
        _ = try await watcher.end()
        let again = try MasterRun(session, [worker])
        try await again.allReady()
        #expect(try await command("get", "key").end().outputText == "kept\n")
        #expect(try await again.stop().result.ending == .exited(0))
      }
    }

    // MARK: PostgreSQL

    @Test(
      "postgres with a client never ends on TERM, and on the preset's INT at once",
      .enabled(if: RealPrograms.postgres != nil, "needs PostgreSQL, which is used where it is installed"))
    func postgres() async throws {
      try await withSession { session in
        let bin = try #require(RealPrograms.postgres)
        let port = try session.freePort()
        let data = session.path("data")
        guard mkdir(data, 0o700) == 0 else { throw WaitError("mkdir: \(errno)") }
        // It refuses root.
        let isRoot = geteuid() == 0
        var initialise = Launch("\(bin)/initdb", ["-D", Bytes(data), "-A", "trust", "-U", "tester", "-N"])
        if isRoot {
          guard chown(data, 65534, 65534) == 0 else { throw WaitError("chown: \(errno)") }
          initialise.prelude = ["user", "65534"]
        }
        let made = try await session.start(initialise).end()
        #expect(made.ending == .exited(0), "\(made.errors)")

        let master = try MasterRun(
          session,
          [
            TestWorker(
              "base",
              program: ["\(bin)/postgres", "-D", data, "-p", "{port}", "-h", "127.0.0.1", "-k", ""],
              port: port,
              "preset = \"postgres\"", "directory = \"\(data)\"", isRoot ? "user = 65534" : "")
          ])
        try await master.allReady()
        let client = try session.start(
          Launch(
            "\(bin)/psql",
            [
              "-h", "127.0.0.1", "-p", "\(port)", "-U", "tester", "-d", "postgres", "-qAt", "-c",
              "select 'connected'", "-c", "select pg_sleep(600)",
            ]))
        try await client.output?.expect("connected")
        // The control: the server by itself, told by the signal that everybody sends, waits for its client.
        let server = try #require(
          session.commands().first {
            $0.arguments.first?.hasSuffix("/postgres") == true && $0.arguments.count > 1
          })
        kill(server.process.pid, SIGTERM)
        try await master.expect("received smart shutdown request")
        #expect(await !master.says("base stop", within: .seconds(1)))
        let (result, took) = try await master.stop()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(took < .seconds(5))
        #expect(result.errors.contains("received fast shutdown request"))
        #expect(result.errors.contains("database system is shut down"))
        #expect(try await client.end().ending != .exited(0), "its statement did not come to its end")
      }
    }
  }
}
