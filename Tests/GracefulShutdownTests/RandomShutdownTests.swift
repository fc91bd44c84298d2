import GracefulShutdown
import SeededRandom
import Testing

/// Shutdowns put together at random from requests, clients and cleanups that do or do not end. What holds
/// of all of them is checked; the seed of one that breaks a rule is in the message.
@Suite(.timeLimit(.minutes(2))) struct RandomShutdownTests {
  private struct Plan {
    enum Request: CaseIterable { case endsBefore, endsDuring, endsWhenCancelled, never }
    enum Client: CaseIterable {
      case orderly, leaves, hangsInNotify, hangsInClose, throwsInNotify, throwsInClose
    }
    enum Cleanup: CaseIterable { case returns, `throws`, hangs, blocks, registersAnother }

    var requests: [Request]
    var clients: [Client]
    var cleanups: [Cleanup]
    var forces: Bool

    init(_ random: inout SeededRandom) {
      func some<Kind: CaseIterable>(_ kind: Kind.Type, _ random: inout SeededRandom) -> [Kind] {
        let all = Array(Kind.allCases)
        return (0..<Int.random(in: 0...8, using: &random)).compactMap { _ in random.pick(all) }
      }
      self.requests = some(Request.self, &random)
      self.clients = some(Client.self, &random)
      self.cleanups = some(Cleanup.self, &random)
      self.forces = random.chance(70)
    }
  }

  @Test func theRulesHold() async throws {
    for seed in UInt64(1)...300 {
      var random = SeededRandom(seed: seed)
      let plan = Plan(&random)
      let complaints = try await self.complaints(plan)
      #expect(complaints.isEmpty, "seed \(seed), \(plan)")
      if !complaints.isEmpty { break }
    }
  }

  private func complaints(_ plan: Plan) async throws -> [String] {
    let scene = try Scene(plan)
    let longest =
      scene.coordinator.longestShutdown + .seconds(10) * plan.cleanups.count { $0 == .registersAnother }
    let course = try await scene.play()
    return await self.complaints(of: course, plan, scene, longest: longest)
  }

  /// What a plan says, put together.
  private struct Scene {
    let clock = VirtualClock()
    let recorder = Recorder()
    let never = Gate()
    let coordinator: ShutdownCoordinator
    private var tokens: [(Plan.Request, RequestToken)] = []
    /// Of the clients that leave by themselves.
    private var registrations: [ShutdownRegistration] = []

    init(_ plan: Plan) throws {
      self.coordinator = ShutdownCoordinator(
        configuration: ShutdownConfiguration(forcesAfterTimeout: plan.forces), logger: .silent,
        clock: self.clock)
      for (index, kind) in plan.requests.enumerated() { try self.begin(kind, "request \(index)") }
      for (index, kind) in plan.clients.enumerated() { try self.register(kind, "client \(index)") }
      for (index, kind) in plan.cleanups.enumerated() { try self.add(kind, "cleanup \(index)") }
    }

    private mutating func begin(_ kind: Plan.Request, _ name: String) throws {
      let token = try self.coordinator.beginRequest(name)
      if kind == .endsWhenCancelled { token.onCancel { [weak token] in token?.end() } }
      if kind == .endsBefore { token.end() }
      self.tokens.append((kind, token))
    }

    private mutating func register(_ kind: Plan.Client, _ name: String) throws {
      let behaviour: TestClient.Behaviour =
        switch kind {
        case .orderly: .orderly
        case .leaves, .hangsInClose: .hangsInClose(self.never)
        case .hangsInNotify: .hangsInNotify(self.never)
        case .throwsInNotify: .throwsInNotify
        case .throwsInClose: .throwsInClose
        }
      let client = TestClient(shutdownName: name, behaviour: behaviour, recorder: self.recorder)
      let registration = try self.coordinator.register(client)
      if kind == .leaves { self.registrations.append(registration) }
    }

    private func add(_ kind: Plan.Cleanup, _ name: String) throws {
      let (recorder, never) = (self.recorder, self.never)
      switch kind {
      case .blocks: try self.coordinator.addBlockingCleanup(name) { recorder.add(name) }
      default:
        try self.coordinator.addCleanup(name) { [weak coordinator] in
          recorder.add(name)
          switch kind {
          case .throws: throw TestFailure("broke")
          case .hangs: await never.wait()
          case .registersAnother:
            try coordinator?.addCleanup("another of \(name)") { recorder.add("another") }
          default: break
          }
        }
      }
    }

    /// The shutdown in virtual time, begun by several at once.
    func play() async throws -> Course {
      let (clock, coordinator) = (self.clock, self.coordinator)
      // Until all have asked for it: with nothing to wait for it would be over before.
      let held = try coordinator.beginRequest("held")
      let reports = (0..<3).map { _ in Task { await coordinator.report } }
      let initiations = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<4 { group.addTask { coordinator.initiate(reason: ShutdownReason("\(number)")) } }
        return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      held.end()
      for (kind, token) in self.tokens where kind == .endsDuring { Task { token.end() } }
      let leaving = self.registrations
      Task { for registration in leaving { registration.remove() } }
      // Only the shutdown's own waits sleep on this clock, so going on to the next end of one is fair.
      let time = Task {
        while !Task.isCancelled {
          for _ in 0..<30 { await Task.yield() }
          clock.advanceToNextSleeper()
        }
      }
      let report = await coordinator.report
      var others: [ShutdownReport] = []
      for other in reports { others.append(await other.value) }
      time.cancel()
      await time.value
      self.never.open()
      for (_, token) in self.tokens { token.end() }
      return Course(report: report, others: others, initiations: initiations)
    }
  }

  private struct Course {
    var report: ShutdownReport
    /// As others got it who waited for it.
    var others: [ShutdownReport]
    /// How many of those who began it at once were told that they did.
    var initiations: Int
  }

  private func complaints(
    of course: Course, _ plan: Plan, _ scene: Scene, longest: Duration
  ) async -> [String] {
    let (report, recorder) = (course.report, scene.recorder)
    var complaints: [String] = []
    func rule(_ holds: Bool, _ text: String) { if !holds { complaints.append(text) } }
    rule(course.initiations == 1 && report.refusedInitiations == 3, "one initiation")
    rule(course.others.allSatisfy { $0 == report }, "one report")
    rule(report.duration <= longest, "\(report.duration) is more than \(longest)")
    rule(scene.coordinator.phase == .finished && report.phases.count == 3, "phases")
    rule(
      zip(report.phases, report.phases.dropFirst()).allSatisfy { $0.start + $0.duration <= $1.start }, "order"
    )
    // Every client has one outcome, and those that hang did not end well.
    rule(report.clients.total == plan.clients.count, "outcomes: \(report.clients)")
    let stuck = plan.clients.count { $0 == .hangsInClose || $0 == .hangsInNotify }
    rule(report.clients.dropped + report.clients.overstayed >= stuck, "stuck clients")
    rule(plan.forces ? report.clients.overstayed == 0 : report.clients.dropped == 0, "force")
    for index in plan.clients.indices {
      let aborts = recorder.all.count { $0 == "client \(index) aborted" }
      let closes = recorder.all.count { $0 == "client \(index) closed" }
      rule(aborts <= 1 && closes <= 1, "client \(index): \(aborts) aborts, \(closes) closes")
    }
    // On a thread of its own, which virtual time does not wait for: it may come after the report.
    let forced = report.clients.dropped + report.clients.failed
    await recorder.until { entries in entries.count { $0.hasSuffix(" aborted") } >= forced }
    rule(recorder.all.count { $0.hasSuffix(" aborted") } == forced, "somebody else was aborted")
    // Every cleanup ran once, last registered first; one that was registered by another, right after that.
    let ran = report.cleanups.map(\.name)
    let expected = plan.cleanups.indices.reversed().map { "cleanup \($0)" }
    rule(ran.filter { !$0.hasPrefix("another") } == expected, "cleanups: \(ran)")
    rule(Set(ran).count == ran.count, "a cleanup twice: \(ran)")
    // One that this machine was too busy to begin in time may come to it later or never.
    for (index, record) in report.cleanups.enumerated() where record.outcome == .completed {
      guard let number = Int(record.name.dropFirst("cleanup ".count)) else { continue }
      guard plan.cleanups[number] == .registersAnother else { continue }
      rule(ran.dropFirst(index + 1).first == "another of \(record.name)", "not after \(record.name): \(ran)")
    }
    for index in plan.cleanups.indices {
      rule(recorder.all.count { $0 == "cleanup \(index)" } <= 1, "cleanup \(index) ran twice")
      let failed = report.failures.contains { $0.name == "cleanup \(index)" }
      if plan.cleanups[index] == .throws || plan.cleanups[index] == .hangs {
        rule(failed, "cleanup \(index) did not fail")
      }
    }
    let overstayers = plan.requests.count { $0 == .never || $0 == .endsWhenCancelled }
    rule(report.failures.count { $0.phase == .drainingRequests } >= overstayers, "overstayers")
    rule(
      report.phases.map(\.total).reduce(0, +) - report.phases.map(\.completed).reduce(0, +)
        == report.failures.count, "failures")
    return complaints
  }
}
