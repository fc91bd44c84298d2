import Foundation
import Glibc
import RepositoryWorker
import SystemPackage
import Testing

/// The real program, from its command line to its exit status.
@Suite(.serialized, .timeLimit(.minutes(1))) struct WorkerProcessTests {
  /// A `repository-worker` and what it writes to standard error.
  final class Program {
    let process = Foundation.Process()
    private let errors = Foundation.Pipe()
    private let ended: AsyncStream<Int32>
    private let received = ReceivedText()

    convenience init(_ arguments: String...) throws { try self.init(arguments) }

    init(_ arguments: [String]) throws {
      self.process.executableURL = try Program.executable()
      self.process.arguments = arguments
      self.process.standardError = self.errors
      self.process.standardInput = FileHandle.nullDevice
      let (ended, endedContinuation) = AsyncStream.makeStream(of: Int32.self)
      self.ended = ended
      self.process.terminationHandler = {
        endedContinuation.yield(
          $0.terminationReason == .exit ? $0.terminationStatus : 128 + $0.terminationStatus)
        endedContinuation.finish()
      }
      let received = self.received
      self.errors.fileHandleForReading.readabilityHandler = { handle in
        let data = handle.availableData
        guard data.isEmpty else {
          received.append(String(decoding: data, as: UTF8.self))
          return
        }
        handle.readabilityHandler = nil
        received.end()
      }
      try self.process.run()
    }

    /// Next to the test bundle, where the package manager puts it.
    static func executable() throws -> URL {
      for argument in CommandLine.arguments where argument.hasSuffix(".xctest") {
        return URL(fileURLWithPath: argument).deletingLastPathComponent().appendingPathComponent(
          "repository-worker")
      }
      return URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appendingPathComponent("repository-worker")
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

    func status() async -> Int32? {
      for await status in self.ended { return status }
      return nil
    }

    deinit {
      if self.process.isRunning { Glibc.kill(self.process.processIdentifier, SIGKILL) }
    }
  }

  static let stopSignals: [Int32] = [SIGTERM, SIGINT]

  @Test(arguments: stopSignals) func signalsEndItInOrder(_ number: Int32) async throws {
    let fixture = try GitRepositoryFixture()
    let program = try Program("--repository", fixture.root.string, "--port", "0")
    let port = try await program.port()
    let idle = try await RawConnection.connect(to: port)
    try await idle.send(WorkerServerTests.health)
    #expect(await idle.read { $0.hasSuffix("}") }.hasPrefix("HTTP/1.1 200 OK"))
    let began = ContinuousClock.now
    kill(program.process.processIdentifier, number)
    #expect(await program.status() == 0)
    #expect(ContinuousClock.now - began < .milliseconds(900), "no timeout had to pass")
    let text = await program.standardError()
    #expect(text.contains("shutdown clean"))
    #expect(text.contains(number == SIGTERM ? "received SIGTERM" : "received SIGINT"))
  }

  @Test func aShutdownRequestEndsIt() async throws {
    let fixture = try GitRepositoryFixture()
    let program = try Program("--repository", fixture.root.string, "--port", "0")
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
    #expect(await program.status() == 0)
    #expect(await stopping.readToEnd().contains("\"clients\":1"))
    #expect(await stream.readToEnd().hasSuffix("\r\n0\r\n\r\n"))
    // Its port is free at once.
    let again = try Program("--repository", fixture.root.string, "--port", "\(port)")
    #expect(try await again.port() == port)
    kill(again.process.processIdentifier, SIGTERM)
    #expect(await again.status() == 0)
  }

  @Test func whatCannotBeIsOneLineAndAStatus() async throws {
    let fixture = try GitRepositoryFixture()
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
      let program = try Program(arguments)
      #expect(await program.standardError() == line)
      #expect(await program.status() == 1)
    }
    for arguments in [["--port", "0"], ["--repository", "/"], ["--repository", "/", "--port", "70000"]] {
      let program = try Program(arguments)
      #expect(await program.standardError().contains("Usage: repository-worker"))
      #expect(await program.status() == 64)
    }
  }

  @Test func aSocketHandedDownIsServed() async throws {
    let fixture = try GitRepositoryFixture()
    let bound = try BoundSocket()
    defer { bound.close() }
    // The shell takes the place of a supervisor: it knows the pid that the variables must name.
    let process = Foundation.Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --repository \"$1\" 3<&0 </dev/null 2>/dev/null",
      try Program.executable().path, fixture.root.string,
    ]
    process.standardInput = FileHandle(fileDescriptor: bound.descriptor, closeOnDealloc: false)
    let (ended, continuation) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = {
      continuation.yield($0.terminationStatus)
      continuation.finish()
    }
    try process.run()
    // It waits in the queue of the socket until it is served.
    let client = try await RawConnection.connect(to: bound.port)
    try await client.send(WorkerServerTests.health)
    #expect(await client.read { $0.hasSuffix("}") }.hasPrefix("HTTP/1.1 200 OK"))
    kill(process.processIdentifier, SIGTERM)
    for await status in ended { #expect(status == 0) }
  }
}
