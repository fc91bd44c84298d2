import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn --port`.
  @Suite struct SpawnPort {
    @Test("a port that somebody has keeps the command from starting, and the owner is named")
    func before() async throws {
      try await withSession { session in
        let socket = try LoopbackSocket(listens: true)
        let file = session.path("started")
        let result = try await session.procctl(
          "spawn", "--port", "\(socket.port)", "--", "/bin/sh", "-c", ": > \"$1\"", "sh", Bytes(file)
        ).end()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("\(socket.port)") && result.errors.contains("\(getpid())"))
        #expect(access(file, F_OK) != 0)
      }
    }

    @Test("a port that is free again afterwards is no problem, even if the command was using it")
    func free() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let fifo = try session.announcements()
        let process = try session.procctl(
          "spawn", "--port", "\(port)", "--grace", "1s", "--", Bytes(Programs.workload), "daemonize",
          "ignore", "TERM",
          "listen", "\(port)", "tell", Bytes(fifo.path), "listening", "end", "exit-on", "TERM", "0", "tell",
          Bytes(fifo.path), "leader")
        try await fifo.expect("listening", "leader")
        #expect(ProcTable.listeners()[port] != nil)
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(result.ending == .exited(0))
        #expect(ProcTable.listeners()[port] == nil)
      }
    }

    @Test("a port that is held when all is over is 125, with who has it")
    func after() async throws {
      try await withSession { session in
        let port = try session.freePort()
        let borrower = try SocketBorrower(path: session.path("lend"))
        let result = try await session.procctl(
          "spawn", "--json", "--port", "\(port)", "--", Bytes(Programs.workload), "lend-listener", "\(port)",
          Bytes(borrower.path), "exit", "0"
        ).end()
        let socket = try await borrower.borrowed()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("port \(port)"))
        let report = try json(try #require(result.errors.split(separator: "\n").first { $0.hasPrefix("{") }))
        #expect((report["held_ports"] as? [String])?.count == 1)
        #expect(report["exit_status"] as? Int == 0, "the command's own")
        close(socket)
      }
    }
  }
}
