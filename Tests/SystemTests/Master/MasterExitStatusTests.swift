import Glibc
import Testing

extension SystemTests {
  /// What can go wrong in a stop, each alone and each pair in one run: the graver of them is the exit
  /// status, the last line of the log has both, and the next start works at once.
  @Suite struct MasterExitStatus {
    /// From the mildest to the gravest.
    enum Trouble: Int, CaseIterable, Comparable, Sendable {
      case clients, signal, kill, cleanup, port, survivor, eventLoop

      var status: Int32 { [1, 2, 3, 6, 4, 5, 101][self.rawValue] }

      static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

      /// Whether a part of the log's last line speaks of it.
      func isSaid(in part: Substring) -> Bool {
        switch self {
        case .clients: part == "clients were disconnected by force"
        case .signal: part.hasSuffix("needed a signal") && part.contains("slow")
        case .kill: part.hasSuffix("needed KILL") && part.contains("deaf")
        case .cleanup: part.hasPrefix("cleanup failed: flush")
        case .port: part.hasPrefix("port ") && part.contains("(lender) held by pid \(getpid())")
        case .survivor: part.hasPrefix("survivor: ") && part.contains("traced by")
        case .eventLoop: part.hasPrefix("internal error: epoll_wait")
        }
      }
    }

    private static let cases: [Set<Trouble>] = Trouble.allCases.flatMap { one in
      [[one]] + Trouble.allCases.filter { $0 > one }.map { [one, $0] }
    }

    @Test(
      "each alone, and of each pair the graver",
      .needs(.root, "to destroy sockets, and to trace who is no child"))
    func precedence() async throws {
      #expect(Self.cases.count == 28)
      // Not all at once: each is a master with its workers, and then another.
      for first in stride(from: 0, to: Self.cases.count, by: 10) {
        try await concurrently(Array(Self.cases[first..<min(first + 10, Self.cases.count)])) { troubles in
          try await withSession { session in try await Provocation(session, troubles).run() }
        }
      }
    }

    @Test(
      "5, not 6: what a cleanup leaves and nobody can end is a process that is left",
      .needs(.root, "a process the master may not signal"))
    func leftByCleanup() async throws {
      // Root may end it, and that is all there is to it then.
      for mayEnd in [false, true] {
        try await withSession { session in
          let fifo = try session.announcements()
          // With set-user-ID it becomes root for good below a master that is nobody.
          let program = try session.publicWorkload()
          try #require(chmod(program, 0o4755) == 0)
          let words = [program, "user", "0", "daemonize", "tell", fifo.path, "left", "end", "exit", "0"]
          let command = words.map { "\"\($0)\"" }.joined(separator: ", ")
          var worker = TestWorker("calm", ["hold"], "contain = \"session\"")
          worker.command[0] = program
          let master = try MasterRun(
            session, preamble: "[[cleanups]]\nname = \"careless\"\ncommand = [\(command)]", [worker],
            prelude: mayEnd ? [] : ["user", "65534"], program: try session.publicCopy(of: Programs.procctl))
          try await master.allReady()
          let result = try await master.stop().result
          guard !mayEnd else {
            #expect(result.ending == .exited(0), "\(result.errors)")
            #expect(session.members().isEmpty)
            return
          }
          let pid = try #require(try await fifo.expect("left")["left"])
          #expect(result.ending == .exited(5), "\(result.errors)")
          #expect(result.errors.contains("survivor: pid \(pid) "), "\(result.errors)")
          #expect(
            result.errors.contains("cleanup failed: careless: left processes behind"), "\(result.errors)")
          #expect(session.members().map(\.pid) == [pid])
          try await session.sweep()
        }
      }
    }

    @Test("100: the event loop cannot be made, and nothing is started; the next start works")
    func noEventLoop() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let worker = TestWorker("alpha", ["tell", Bytes(fifo.path), "up"])
        let broken = try MasterRun(
          session, [worker], faults: FaultPlan(faults: [Fault("epoll_create1", .from(1), "EMFILE")]))
        let result = try await broken.process.end()
        #expect(result.ending == .exited(100), "\(result.errors)")
        #expect(result.errors.contains("epoll_create1: Too many open files"), "\(result.errors)")
        #expect(fifo.rest().isEmpty)
        let next = try MasterRun(session, [worker])
        try await next.allReady()
        #expect(try await next.stop().result.ending == .exited(0))
      }
    }
  }
}

/// One master in whose stop all of these happen.
private struct Provocation {
  typealias Trouble = SystemTests.MasterExitStatus.Trouble

  let session: TestSession
  let troubles: Set<Trouble>
  let fifo: Announcements
  let borrower: SocketBorrower
  let ports: [Trouble: UInt16]

  init(_ session: TestSession, _ troubles: Set<Trouble>) throws {
    self.session = session
    self.troubles = troubles
    self.fifo = try session.announcements()
    self.borrower = try SocketBorrower(path: session.path("lend"))
    self.ports = [.clients: try session.freePort(), .port: try session.freePort()]
  }

  private var workers: [TestWorker] {
    // Beside them one that obeys.
    [TestWorker("calm", ["hold"])]
      + self.troubles.sorted().compactMap { trouble in
        switch trouble {
        case .clients:
          TestWorker(
            "patient", ["drain-on", "TERM", "serve", "{port}", "-", "hang"], port: self.ports[.clients],
            ready: "tcp", "stop = [ { signal = \"TERM\", wait = \"20s\" } ]")
        case .signal:
          // These say when they are deaf: a signal before would end them.
          TestWorker(
            "slow", ["ignore", "TERM", "notify", "READY=1"], ready: "notify",
            "stop = [ { signal = \"TERM\", wait = \"200ms\" }, { signal = \"INT\", wait = \"20s\" } ]")
        case .kill: TestWorker("deaf", ["ignore", "TERM", "notify", "READY=1"], ready: "notify", Self.short)
        case .port:
          TestWorker(
            "lender", ["lend-listener", "{port}", Bytes(self.borrower.path)], port: self.ports[.port],
            "contain = \"session\"", "stop = [ { signal = \"TERM\", wait = \"20s\" } ]")
        case .survivor:
          TestWorker(
            "traced", ["tell", Bytes(self.fifo.path), "traced"], "contain = \"session\"", Self.short)
        case .cleanup, .eventLoop: nil
        }
      }
  }

  private static let short =
    "stop = [ { signal = \"TERM\", wait = \"200ms\" }, { signal = \"KILL\", wait = \"200ms\" } ]"

  /// - Parameter gate: What lets the fault begin; nil for no fault.
  private func start(gate: String? = nil) throws -> MasterRun {
    var preamble = "[shutdown]\nclients = \"300ms\"\nports = \"300ms\""
    if self.troubles.contains(.cleanup) {
      preamble += "\n\n[[cleanups]]\nname = \"flush\"\ncommand = [\"/bin/false\"]"
    }
    let faults = gate.map { FaultPlan(faults: [Fault("epoll_wait", .from(1), "EINVAL")], gate: $0) }
    return try MasterRun(self.session, preamble: preamble, self.workers, faults: faults)
  }

  func run() async throws {
    let gate = self.session.path("gate")
    let master = try self.start(gate: self.troubles.contains(.eventLoop) ? gate : nil)
    try await master.allReady()
    let socket = self.troubles.contains(.port) ? try await self.borrower.borrowed() : nil
    let client =
      try self.troubles.contains(.clients) ? self.ports[.clients].map { try TestClient(port: $0) } : nil
    let tracer = self.troubles.contains(.survivor) ? try await self.trace() : nil
    _ = try self.session.write("", to: "gate")

    let result = try await master.stop(within: .seconds(60)).result
    let name = "\(self.troubles.sorted())"
    #expect(result.ending == self.troubles.max().map { .exited($0.status) }, "\(name): \(result.errors)")
    let last = result.errors.split(separator: "\n").last { $0.contains("stopped: ") }
    let parts = try #require(self.parts(of: last), "\(name): \(result.errors)")
    for trouble in Trouble.allCases {
      #expect(
        parts.contains { trouble.isSaid(in: $0) } == self.troubles.contains(trouble),
        "\(name), \(trouble): \(result.errors)")
    }

    client?.leave()
    if let socket { close(socket) }
    if let tracer {
      tracer.send(SIGKILL)
      try await tracer.end()
    }
    try await self.startAgain(name)
  }

  private func trace() async throws -> TestProcess {
    let traced = try #require(try await self.fifo.expect("traced")["traced"])
    let tracer = try self.session.workload(["trace", "\(traced)", "tell", Bytes(self.fifo.path), "tracer"])
    try await self.fifo.expect("tracer")
    return tracer
  }

  /// The parts of `… stopped: PART; PART exit=…`.
  private func parts(of line: Substring?) -> [Substring]? {
    guard let line, let begin = line.firstRange(of: "stopped: ") else { return nil }
    let text = line[begin.upperBound...]
    let end = text.firstRange(of: " exit=")?.lowerBound ?? text.endIndex
    return text[..<end].split(separator: "; ")
  }

  private func startAgain(_ name: String) async throws {
    let next = try self.start()
    try await next.allReady()
    #expect(!next.said.contains("blocked"), "\(name): \(next.said)")
    if self.troubles.contains(.port) { close(try await self.borrower.borrowed()) }
    next.process.send(SIGQUIT)
    try await next.process.end()
  }
}
