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
    let clock = VirtualClock()
    let recorder = Recorder()
    let never = Gate()
    let configuration = ShutdownConfiguration(forcesAfterTimeout: plan.forces)
    let coordinator = ShutdownCoordinator(configuration: configuration, logger: .silent, clock: clock)

    var tokens: [(Plan.Request, RequestToken)] = []
    for (index, kind) in plan.requests.enumerated() {
      let token = try coordinator.beginRequest("request \(index)")
      if kind == .endsWhenCancelled { token.onCancel { [weak token] in token?.end() } }
      if kind == .endsBefore { token.end() }
      tokens.append((kind, token))
    }
    var registrations: [ShutdownRegistration] = []
    for (index, kind) in plan.clients.enumerated() {
      let behaviour: TestClient.Behaviour =
        switch kind {
        case .orderly: .orderly
        case .leaves, .hangsInClose: .hangsInClose(never)
        case .hangsInNotify: .hangsInNotify(never)
        case .throwsInNotify: .throwsInNotify
        case .throwsInClose: .throwsInClose
        }
      let client = TestClient(shutdownName: "client \(index)", behaviour: behaviour, recorder: recorder)
      let registration = try coordinator.register(client)
      if kind == .leaves { registrations.append(registration) }
    }
    for (index, kind) in plan.cleanups.enumerated() {
      let name = "cleanup \(index)"
      switch kind {
      case .blocks: try coordinator.addBlockingCleanup(name) { recorder.add(name) }
      default:
        try coordinator.addCleanup(name) { [weak coordinator] in
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
    let longest = coordinator.longestShutdown + .seconds(10) * plan.cleanups.count { $0 == .registersAnother }

    // Until all have asked for it: with nothing to wait for it would be over before.
    let held = try coordinator.beginRequest("held")
    let reports = (0..<3).map { _ in Task { await coordinator.report } }
    let initiations = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<4 { group.addTask { coordinator.initiate(reason: ShutdownReason("\(number)")) } }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    held.end()
    for (kind, token) in tokens where kind == .endsDuring { Task { token.end() } }
    let leaving = registrations
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
    never.open()
    for (_, token) in tokens { token.end() }

    var complaints: [String] = []
    func rule(_ holds: Bool, _ text: String) { if !holds { complaints.append(text) } }
    rule(initiations == 1 && report.refusedInitiations == 3, "one initiation")
    rule(others.allSatisfy { $0 == report }, "one report")
    rule(report.duration <= longest, "\(report.duration) is more than \(longest)")
    rule(coordinator.phase == .finished && report.phases.count == 3, "phases")
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
