import CProcCtl
import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: what workers leave besides processes and ports.
  @Suite struct MasterResource {
    private func directories(_ session: TestSession) -> [String] {
      ProcTable.names(session.path("procctl/workers"))
    }

    @Test(
      "directories of its own, its user's, are gone with the worker, and links in them lead nowhere",
      .needs(.root, "a user of its own"), arguments: Containment.possible)
    func directories(_ containment: Containment) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let program = try session.publicWorkload()
        let treasure = session.path("treasure")
        try #require(mkdir(treasure, 0o777) == 0)
        _ = try session.write("gold", to: "treasure/gold")
        var worker = TestWorker(
          "alpha",
          [
            "touch-in", "RUNTIME_DIRECTORY", "file", "link-in", "RUNTIME_DIRECTORY", "link", Bytes(treasure),
            "socket-in", "TMPDIR", "socket", "deep-in", "TMPDIR", "300", "tell", Bytes(fifo.path), "up",
            "hold",
          ], containment.line, "runtime-directory = true", "temporary-directory = true", "user = \"65534\"",
          "group = \"65534\"")
        worker.command[0] = program
        let master = try MasterRun(session, [worker])
        _ = try await fifo.expect("up")
        let place = try #require(self.directories(session).first)
        var status = stat()
        try #require(lstat(session.path("procctl/workers/\(place)/run"), &status) == 0)
        #expect(status.st_uid == 65534 && status.st_mode & 0o777 == 0o700)
        #expect(try await master.stop().result.ending == .exited(0))
        #expect(self.directories(session).isEmpty)
        #expect(ProcTable.text("\(treasure)/gold") == "gold")
      }
    }

    @Test("what a killed master's worker had is removed by the next start, each start has its own")
    func abandoned() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let worker = TestWorker(
          "alpha", ["touch-in", "RUNTIME_DIRECTORY", "file", "tell", Bytes(fifo.path), "up", "hold"],
          "contain = \"session\"", "runtime-directory = true")
        let first = try MasterRun(session, [worker])
        _ = try await fifo.expect("up")
        let left = try #require(self.directories(session).first)
        first.process.send(SIGKILL)
        try await first.process.end()
        #expect(self.directories(session) == [left])
        let second = try MasterRun(session, [worker])
        let pid = try #require(try await fifo.expect("up")["up"])
        let own = self.directories(session)
        #expect(own.count == 1 && own != [left])
        kill(pid, SIGKILL)
        _ = try await fifo.expect("up")
        // Those of the start before may be removed a little later.
        try await session.until("there is one, and another") {
          let third = self.directories(session)
          return third.count == 1 && third != own
        }
        #expect(try await second.stop().result.ending == .exited(0))
        #expect(self.directories(session).isEmpty)
      }
    }

    @Test("directories made for a start that fails are gone too", arguments: Containment.possible)
    func failedStart(_ containment: Containment) async throws {
      try await withSession { session in
        var worker = TestWorker(
          "alpha", [], containment.line, "runtime-directory = true", "temporary-directory = true")
        worker.command = ["/no/such/program"]
        let master = try MasterRun(session, [worker])
        try await master.expect("alpha blocked")
        #expect(try await master.stop().result.ending == .exited(0))
        #expect(self.directories(session).isEmpty)
      }
    }

    @Test("6: a socket that somebody else has inherited is named, with its holder")
    func inheritedSocket() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let master = try MasterRun(
          session,
          [
            TestWorker(
              "alpha", ["lend-unix", Bytes(session.path("lend")), "tell", Bytes(fifo.path), "up", "hold"],
              "contain = \"session\"", "runtime-directory = true")
          ])
        _ = master
        let borrower = try SocketBorrower(path: session.path("lend"))
        let socket = try await borrower.borrowed()
        _ = try await fifo.expect("up")
        let result = try await master.stop().result
        close(socket)
        #expect(result.ending == .exited(6), "\(result.errors)")
        #expect(
          result.errors.contains("left the socket @procctl-lent-")
            && result.errors.contains("pid \(getpid())"),
          "\(result.errors)")
      }
    }

    /// System V objects and POSIX memory of the user that nobody else may have.
    private func objects(of uid: uid_t) -> [String] {
      var found: [String] = []
      for kind in ["shm", "sem", "msg"] {
        let lines = (ProcTable.text("/proc/sysvipc/\(kind)") ?? "").split(separator: "\n")
        let heading = lines.first?.split(separator: " ") ?? []
        guard let column = heading.firstIndex(of: "uid") else { continue }
        found += lines.dropFirst().filter { $0.split(separator: " ")[column] == "\(uid)" }.map { _ in kind }
      }
      for name in ProcTable.names("/dev/shm") {
        var status = stat()
        if lstat("/dev/shm/\(name)", &status) == 0, status.st_uid == uid { found.append(name) }
      }
      return found.sorted()
    }

    @Test(
      "remove-ipc: with the last worker of a user, what it owns goes",
      .needs(.root, "a user nobody else has"), arguments: [true, false])
    func objects(isAsked: Bool) async throws {
      let uid: uid_t = 61_000 + uid_t.random(in: 0..<900)
      try #require(self.objects(of: uid).isEmpty)
      try await withSession { session in
        let fifo = try session.announcements()
        let program = try session.publicWorkload()
        func worker(_ name: String, _ actions: [Bytes]) -> TestWorker {
          var worker = TestWorker(
            name, actions + ["tell", Bytes(fifo.path), Bytes(name), "hold"], "contain = \"session\"",
            "user = \(uid)", "group = \(uid)", isAsked ? "remove-ipc = true" : "")
          worker.command[0] = program
          return worker
        }
        let name = "procctl-test-\(uid)"
        let master = try MasterRun(
          session, [worker("alpha", ["leave-ipc", Bytes(name)]), worker("beta", [])])
        let pids = try await fifo.expect("alpha", "beta")
        #expect(self.objects(of: uid) == ["msg", name, "sem", "shm"])
        // Another worker of the user runs, whose they may be.
        kill(try #require(pids["alpha"]), SIGKILL)
        _ = try await fifo.expect("alpha")
        #expect(self.objects(of: uid).contains("shm"))
        let result = try await master.stop().result
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(self.objects(of: uid).isEmpty == isAsked)
        #expect(result.errors.contains("left System V shared memory") == isAsked)
      }
      if !isAsked {
        // The control leaves them to us: another run that is asked.
        try await withSession { session in
          let program = try session.publicWorkload()
          let fifo = try session.announcements()
          var worker = TestWorker(
            "alpha", ["tell", Bytes(fifo.path), "up", "hold"], "user = \(uid)", "group = \(uid)",
            "remove-ipc = true")
          worker.command[0] = program
          let master = try MasterRun(session, [worker])
          _ = try await fifo.expect("up")
          #expect(try await master.stop().result.ending == .exited(0))
        }
      }
      #expect(self.objects(of: uid).isEmpty)
    }
  }
}
