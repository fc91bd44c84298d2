import Foundation
import Testing

/// A real master with a real worker on a real port, inside a program whose `ServiceGroup` has the signals.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LifecycleHostTests {
  private let polite =
    #"command = ["python3", "-m", "http.server", "{port}", "--bind", "127.0.0.1", "--directory", "#
  /// Serves, and takes no notice of SIGTERM.
  private let deaf =
    #"command = ["python3", "-c", "import signal; signal.signal(15, signal.SIG_IGN); import http.server; "#
    + #"http.server.test(bind='127.0.0.1', port={port})", "#

  @Test func theGroupsShutdownStopsTheMasterAndNothingIsLeft() async throws {
    try await self.withHost(self.polite) { host in
      #expect(host.answers())
      // procctl, and what it supervises: the check below sees them.
      #expect(host.processes().count >= 2)
      kill(host.pid, SIGTERM)
      let output = host.outputToEnd()
      #expect(host.status() == 0, "\(output)")
      #expect(output.contains("own cleanup ran"), "\(output)")
      #expect(output.contains("the master has stopped, and nothing is left"), "\(output)")
      #expect(host.processes().isEmpty)
      #expect(host.portIsFree())
    }
  }

  @Test func anExitStatusOfTheMasterFailsTheGroup() async throws {
    try await self.withHost(self.deaf) { host in
      kill(host.pid, SIGTERM)
      let output = host.outputToEnd()
      #expect(host.status() == 1, "\(output)")
      #expect(output.contains("the group failed: the master ended: exited with status 3"), "\(output)")
      #expect(host.processes().isEmpty)
      #expect(host.portIsFree())
    }
  }

  @Test func aHostThatIsKilledTakesTheMasterAlong() async throws {
    try await self.withHost(self.polite) { host in
      kill(host.pid, SIGKILL)
      // Everybody below writes to this pipe: its end is theirs.
      let output = host.outputToEnd()
      #expect(host.status() == 128 + SIGKILL)
      #expect(output.contains("stopped: clean"), "\(output)")
      #expect(host.processes().isEmpty)
      #expect(host.portIsFree())
    }
  }

  /// A group ends its process by a trap when cancellation takes longer than it allows.
  @Test func aGroupThatIsCancelledEndsInTime() async throws {
    try await self.withHost(self.deaf) { host in
      kill(host.pid, SIGQUIT)
      let output = host.outputToEnd()
      #expect(host.status() < 2, "\(output)")
      #expect(output.contains("cancelled; ending the master with all it started"), "\(output)")
      #expect(host.processes().isEmpty)
      #expect(host.portIsFree())
    }
  }

  @Test func aMasterThatCannotStartFailsTheGroup() async throws {
    try await self.withHost("nonsense = [", untilReady: false) { host in
      let output = host.outputToEnd()
      #expect(host.status() == 1)
      #expect(output.contains("exited with status 78"), "\(output)")
    }
  }

  // MARK: The host

  private func withHost(
    _ command: String, untilReady: Bool = true, _ body: (Host) async throws -> Void
  ) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("host-\(UUID())")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: directory) }
    let host = try Host(directory, command)
    defer { host.end() }
    if untilReady { try host.ready() }
    try await body(host)
  }

  private final class Host {
    let directory: URL
    let port: UInt16
    private let process = Process()
    private let pipe = Pipe()
    private var text = ""
    var pid: Int32 { self.process.processIdentifier }

    init(_ directory: URL, _ command: String) throws {
      self.directory = directory
      self.port = try Host.freePort()
      let configuration = directory.appendingPathComponent("procctl.toml")
      // The directory in the arguments is the mark by which the worker is found again.
      try """
      [workers.web]
      \(command)"\(directory.path)"]
      port = \(self.port)
      ready = "tcp"
      stop = [ { signal = "TERM", wait = "2s" }, { signal = "KILL" } ]
      """.write(to: configuration, atomically: true, encoding: .utf8)
      self.process.executableURL = try Host.program()
      self.process.arguments = [try Host.procctl(), configuration.path]
      // Its record is not to be left among the machine's own.
      self.process.environment = ProcessInfo.processInfo.environment.merging(
        ["STATE_DIRECTORY": directory.path, "XDG_RUNTIME_DIR": directory.path]) { $1 }
      self.process.standardInput = FileHandle.nullDevice
      self.process.standardOutput = self.pipe
      self.process.standardError = self.pipe
      try self.process.run()
      try self.pipe.fileHandleForWriting.close()
    }

    /// Kills what is left, by the pids that are its own.
    func end() {
      for pid in self.processes() { kill(pid, SIGKILL) }
      if self.process.isRunning { kill(self.pid, SIGKILL) }
    }

    /// Blocks, as all that waits for the host's output; it ends with the last who has it.
    func ready() throws {
      while !self.text.contains("all workers are ready") {
        guard self.read() else { throw NotReady(description: "ended before it was ready: \(self.text)") }
      }
    }

    func outputToEnd() -> String {
      while self.read() {}
      return self.text
    }

    private func read() -> Bool {
      let output = self.pipe.fileHandleForReading
      var readable = pollfd(fd: output.fileDescriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&readable, 1, 60_000) == 1 else {
        self.text += "[nothing for a minute]"
        return false
      }
      let data = output.availableData
      self.text += String(decoding: data, as: UTF8.self)
      return !data.isEmpty
    }

    func status() -> Int32 {
      self.process.waitUntilExit()
      let status = self.process.terminationStatus
      return self.process.terminationReason == .exit ? status : 128 + status
    }

    /// Who has the directory in its arguments, besides the host.
    func processes() -> [Int32] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
      return names.compactMap { Int32($0) }.filter { pid in
        guard pid != self.pid, let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
          return false
        }
        return String(decoding: bytes, as: UTF8.self).contains(self.directory.path)
      }
    }

    func answers() -> Bool {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(descriptor) }
      return Host.withAddress(self.port) { connect(descriptor, $0, $1) } == 0
    }

    func portIsFree() -> Bool {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(descriptor) }
      var on: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
      return Host.withAddress(self.port) { bind(descriptor, $0, $1) } == 0
    }

    /// Below those that outgoing connections are given (ip(7), ip_local_port_range): one of somebody
    /// else's would have it when the worker wants it.
    private static func freePort() throws -> UInt16 {
      for _ in 0..<10_000 {
        let port = UInt16.random(in: 10_240..<32_768)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        if Host.withAddress(port, { bind(descriptor, $0, $1) }) == 0 { return port }
      }
      throw NotReady(description: "no port is free")
    }

    private static func withAddress<Result>(
      _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      address.sin_port = port.bigEndian
      return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }

    /// Beside the test bundle, where the package manager puts it.
    private static func program() throws -> URL {
      let arguments = CommandLine.arguments
      let bundle = arguments.first { $0.hasSuffix(".xctest") } ?? arguments[0]
      return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("lifecycle-host")
    }

    /// The release that `make test` has built.
    private static func procctl() throws -> String {
      let own = URL(fileURLWithPath: #filePath).appendingPathComponent(
        "../../../../../.build/release/procctl")
      let path = ProcessInfo.processInfo.environment["PROCCTL"] ?? own.standardized.path
      try #require(FileManager.default.isExecutableFile(atPath: path), "run make build first: \(path)")
      return path
    }
  }

  private struct NotReady: Error, CustomStringConvertible {
    var description: String
  }
}
