import NIOCore
import NIOPosix
import ProcCtl
import RepositoryWorker
import SystemPackage
import Testing

/// The real program, from its command line to its exit status.
@Suite(.serialized, .timeLimit(.minutes(1))) struct WorkerProcessTests {
  private static let children = Result { () throws(ProcessError) in try ChildProcesses() }

  /// A `repository-worker` and what it writes to standard error.
  final class Program: Sendable {
    private let child: ChildProcess
    private let received: ReceivedText

    convenience init(_ arguments: String...) async throws { try await self.init(arguments) }

    convenience init(_ arguments: [String]) async throws {
      try await self.init(
        Command(.path(Program.path), arguments: arguments.map { ByteString($0) }, standardInput: .null))
    }

    /// - Parameter command: What to run; its standard error is read here.
    init(_ command: Command) async throws {
      let pipe = try FileDescriptor.pipe()
      let received = ReceivedText()
      self.received = received
      _ = try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(TextReader(received))
          }
        }
        .takingOwnershipOfDescriptor(input: pipe.readEnd.rawValue) { $0.eventLoop.makeSucceededVoidFuture() }
      defer { try? pipe.writeEnd.close() }
      var command = command
      command.standardError = .descriptor(pipe.writeEnd)
      self.child = try await WorkerProcessTests.children.get().spawn(
        command, leftovers: Escalation(steps: []))
    }

    deinit {
      // Does nothing to one that has ended.
      self.child.send(.kill)
    }

    /// Next to the test bundle, where the package manager puts it.
    static var path: FilePath {
      let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
      return FilePath(bundle).removingLastComponent().appending("repository-worker")
    }

    /// The port it says it listens on.
    func port() async throws -> Int {
      @Sendable func port(in text: String) -> Int? {
        guard let line = text.split(separator: "\n").first(where: { $0.contains("listening on ") }) else {
          return nil
        }
        return line.split(separator: ":").last.flatMap { Int($0) }
      }
      let text = await self.received.until { port(in: $0) != nil }
      guard let port = port(in: text) else { throw Unexpected("ended: \(text)") }
      return port
    }

    func standardError() async -> String {
      await self.received.until { _ in false }
    }

    func send(_ signal: Signal) { self.child.send(signal) }

    func status() async -> TerminationStatus? { await self.child.wait().status }
  }

  static let stopSignals: [Signal] = [.terminate, .interrupt]

  @Test(arguments: stopSignals) func signalsEndItInOrder(_ signal: Signal) async throws {
    let fixture = try await GitRepositoryFixture.make()
    let program = try await Program("--repository", fixture.root.string, "--port", "0")
    let port = try await program.port()
    let idle = try await RawConnection.connect(to: port)
    try await idle.send(WorkerServerTests.health)
    #expect(await idle.read { $0.hasSuffix("}") }.hasPrefix("HTTP/1.1 200 OK"))
    program.send(signal)
    // Another if a timeout had to pass.
    #expect(await program.status() == .exited(0))
    let text = await program.standardError()
    #expect(text.contains("shutdown clean"))
    #expect(text.contains("received \(signal)"))
  }

  @Test func aShutdownRequestEndsIt() async throws {
    let fixture = try await GitRepositoryFixture.make()
    let program = try await Program("--repository", fixture.root.string, "--port", "0")
    let port = try await program.port()
    let client = try await RawConnection.connect(to: port)
    try await client.send(WorkerServerTests.post(TestService.initializeBody()))
    let text = await client.read { $0.hasSuffix("}") }
    let session = try #require(
      text.split(separator: "\r\n").first { $0.hasPrefix("Mcp-Session-Id: ") }?.dropFirst(16))
    try await client.send(
      WorkerServerTests.post(
        TestService.toolCall("read_file", "{\"path\":\"f.txt\"}"), session: String(session)))
    await client.read { $0.contains("TWO needle") }
    let stream = try await RawConnection.connect(to: port)
    try await stream.send(WorkerServerTests.get(session: String(session)))
    await stream.read { $0.contains(": open\n\n") }
    let stopping = try await RawConnection.connect(to: port)
    try await stopping.send("POST /shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(await program.status() == .exited(0))
    #expect(await stopping.readToEnd().contains("\"connected\":1"))
    #expect(await stream.readToEnd().hasSuffix("\r\n0\r\n\r\n"))
    // Its port is free at once.
    let again = try await Program("--repository", fixture.root.string, "--port", "\(port)")
    #expect(try await again.port() == port)
    again.send(.terminate)
    #expect(await again.status() == .exited(0))
  }

  @Test func whatCannotBeIsOneLineAndAStatus() async throws {
    let fixture = try await GitRepositoryFixture.make()
    let bound = try BoundSocket()
    defer { bound.close() }
    for (arguments, line) in [
      (
        ["--repository", fixture.root.string, "--port", "\(bound.port)"],
        "repository-worker: cannot listen on 127.0.0.1:\(bound.port): Address already in use\n"
      ),
      (
        ["--repository", "/nonexistent", "--port", "0"],
        "repository-worker: cannot read the repository /nonexistent: No such file or directory\n"
      ),
      (
        ["--repository", fixture.root.appending("sub dir").string, "--port", "0"],
        "repository-worker: cannot read the repository \(fixture.root)/sub dir: fatal: not a git repository (or any of the parent directories): .git\n"
      ),
      (
        ["--repository", fixture.root.string, "--listen-fd", "99"],
        "repository-worker: descriptor 99 cannot be served: Bad file descriptor\n"
      ),
    ] {
      let program = try await Program(arguments)
      #expect(await program.standardError() == line)
      #expect(await program.status() == .exited(1))
    }
    for arguments in [["--port", "0"], ["--repository", "/"], ["--repository", "/", "--port", "70000"]] {
      let program = try await Program(arguments)
      #expect(await program.standardError().contains("Usage: repository-worker"))
      #expect(await program.status() == .exited(64))
    }
  }

  @Test func aSocketHandedDownIsServed() async throws {
    let fixture = try await GitRepositoryFixture.make()
    let bound = try BoundSocket()
    defer { bound.close() }
    // The shell takes the place of a supervisor: it knows the pid that the variables must name.
    let program = try await Program(
      Command(
        .path("/bin/sh"),
        arguments: [
          "-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --repository \"$1\"",
          ByteString(Program.path.string), ByteString(fixture.root.string),
        ],
        standardInput: .null,
        passedDescriptors: [
          .init(source: FileDescriptor(rawValue: bound.descriptor), target: FileDescriptor(rawValue: 3))
        ]))
    // It waits in the queue of the socket until it is served.
    let client = try await RawConnection.connect(to: bound.port)
    try await client.send(WorkerServerTests.health)
    #expect(await client.read { $0.hasSuffix("}") }.hasPrefix("HTTP/1.1 200 OK"))
    program.send(.terminate)
    #expect(await program.status() == .exited(0))
  }
}
