import Glibc
import Testing

/// Whoever runs a workload and answers for it: a verb of procctl, with a containment.
enum Keeper: Hashable, CustomTestStringConvertible {
  case spawn(Containment)
  case run(Containment)

  /// With every containment there can be here.
  static let possible: [Keeper] =
    // A spawn is a guard by itself.
    Containment.possible.filter { $0 != .guardian }.map { .spawn($0) } + Containment.possible.map { .run($0) }

  /// Each verb once, for what does not depend on the containment and takes long.
  static let verbs: [Keeper] = [
    .spawn(.session), .run(TestCgroup.parent == nil ? .session : .cgroup), .run(.guardian),
  ]

  var containment: Containment {
    switch self {
    case .spawn(let containment), .run(let containment): containment
    }
  }

  var testDescription: String {
    switch self {
    case .spawn(let containment): "spawn --contain \(containment.rawValue)"
    case .run(let containment): "run, contain = \(containment.rawValue)"
    }
  }

  /// From the signal that asks to KILL: most workloads are deaf, so every one of them waits for it. And
  /// their leaders have to obey within it, on a machine that may be busy with other things.
  static let grace = "600ms"

  /// Starts `test-workload ACTIONS...` in its care.
  ///
  /// - Parameters:
  ///   - prelude: What befalls procctl itself before.
  ///   - program: procctl, or a copy of it.
  func start(
    _ session: TestSession, _ actions: [Bytes], grace: String = Keeper.grace, prelude: [Bytes] = [],
    program: String = Programs.procctl, workload: String = Programs.workload
  ) throws -> TestProcess {
    var launch = try self.launch(session, actions, grace: grace, program: program, workload: workload)
    launch.prelude = prelude
    return try session.start(launch)
  }

  func launch(
    _ session: TestSession, _ actions: [Bytes], grace: String = Keeper.grace,
    program: String = Programs.procctl, workload: String = Programs.workload
  ) throws -> Launch {
    switch self {
    case .spawn(let containment):
      return Launch(
        program,
        [
          "spawn", "--contain", Bytes(containment.rawValue), "--grace", Bytes(grace), "--", Bytes(workload),
        ] + actions)
    case .run(let containment):
      var worker = TestWorker(
        "hostile", actions, containment.line, "restart = \"never\"",
        "stop = [ { signal = \"TERM\", wait = \"\(grace)\" }, { signal = \"KILL\" } ]")
      worker.command[0] = workload
      return Launch(program, ["run", Bytes(try session.write(worker.table + "\n", to: "procctl.toml"))])
    }
  }

  /// How it ends if nobody is left, and somebody needed KILL.
  ///
  /// - Parameter leader: The workload's own status, as a shell shows it.
  func ending(afterKilling leader: Int32) -> Ending {
    switch self {
    case .spawn: .exited(leader)
    case .run: .exited(3)
    }
  }

  /// How it ends if somebody is left.
  var endingWithSurvivors: Ending {
    switch self {
    case .spawn: .exited(125)
    case .run: .exited(5)
    }
  }
}

/// A workload that must not survive.
struct HostileWorkload: Sendable, CustomTestStringConvertible {
  var name: String
  /// Without the leader's own part; `FIFO` stands for the fifo's path.
  var actions: [Bytes]
  /// How many say `hidden` when it stands.
  var hidden = 1
  /// What the leader does at last. By default it goes on TERM, and leaves the others behind.
  var leader: [Bytes] = ["exit-on", "TERM", "0"]
  /// The leader's status then.
  var status: Int32 = 0

  var testDescription: String { self.name }

  /// All that it does: at the end the leader says `leader`.
  func words(_ fifo: Announcements) -> [Bytes] {
    (self.actions + self.leader + ["tell", "FIFO", "leader"]).map { $0 == "FIFO" ? Bytes(fifo.path) : $0 }
  }

  /// Waits until all of it stands; the pids of the hidden ones.
  func stand(_ fifo: Announcements) async throws -> [pid_t] {
    try await fifo.expect("leader")
    return try await fifo.expect(self.hidden, of: "hidden")
  }

  /// In a keeper's care until TERM: then nobody is left, by the word of /proc and of the test's
  /// own cgroup, and nobody holds the caller's pipe.
  ///
  /// - Parameter before: What else the test does to it once it stands.
  func end(
    with keeper: Keeper, sourceLocation: SourceLocation = #_sourceLocation,
    before: @Sendable (TestSession, [pid_t]) async throws -> Void = { _, _ in },
    after: (TestSession) async throws -> Void = { _ in }
  ) async throws {
    try await withSession(sourceLocation: sourceLocation) { session in
      let fifo = try session.announcements()
      let process = try keeper.start(session, self.words(fifo))
      let hidden = try await self.stand(fifo)
      try await before(session, session.outside(hidden, keeper.containment))
      process.send(SIGTERM)
      let result = try await process.end(within: .seconds(20))
      #expect(session.members().isEmpty, "\(keeper.testDescription)", sourceLocation: sourceLocation)
      #expect(
        result.ending == keeper.ending(afterKilling: self.status),
        "\(keeper.testDescription): \(result.errors)",
        sourceLocation: sourceLocation)
      let closed = try await process.output?.expectEnd(within: .seconds(10))
      #expect(closed == true, "the caller's pipe", sourceLocation: sourceLocation)
      try await after(session)
    }
  }

  /// The control: under timeout(1), which asks, waits, and kills, somebody of it is left.
  func survivesTimeout(
    sourceLocation: SourceLocation = #_sourceLocation,
    before: @Sendable (TestSession, [pid_t]) async throws -> Void = { _, _ in }
  ) async throws {
    try await withSession(sourceLocation: sourceLocation) { session in
      let fifo = try session.announcements()
      let timeout = try #require(Programs.find("timeout"))
      let process = try session.start(
        Launch(timeout, ["-k", "0.2", "30", Bytes(Programs.workload)] + self.words(fifo)))
      try await before(session, try await self.stand(fifo))
      process.send(SIGTERM)
      try await process.end(within: .seconds(20))
      let left = session.members()
      #expect(!left.isEmpty, "as hostile as it says: \(self.name)", sourceLocation: sourceLocation)
      try await session.sweep()
    }
  }
}

/// Does it for all of them at once: most of these tests wait, for a grace or for process 1 to reap.
func concurrently<Item: Sendable>(
  _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Void
) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    for item in items { group.addTask { try await body(item) } }
    try await group.waitForAll()
  }
}
