package import ProcCtl
internal import SystemPackage

/// The master's cleanups: commands, and code of the program it runs in, one after another once nothing
/// else is left, the last registered first. By then every descendant is theirs, but for who survived.
package final class OrderedCleanups: CleanupRunner {
  private struct Current {
    var cleanup: Cleanup
    /// Nil if it is no command.
    var leader: ProcessIdentifier?
    /// Different for each, so that code whose time was over is not taken for its successor.
    var number: Int
  }

  private var cleanups: [Cleanup]
  private let kernel: any Kernel
  private let loop: EventLoop
  private var scheduler: any Scheduler { self.loop }
  private var remaining: [Cleanup]
  private var begun = 0
  /// Told when one begins and when it has ended.
  package var whenHappened: (MasterEvent) -> Void = { _ in }
  private var failures: [String] = []
  /// How many there were when the current one began.
  private var earlierFailures = 0
  package private(set) var survivors: [String] = []
  /// Who was left before the first began, or by one before: no later one's.
  private var earlierSurvivors: Set<ProcessIdentity> = []
  private var completion: (([String]) -> Void)?
  private var current: Current?
  private var status: TerminationStatus?
  private var timer: TimerIdentifier?
  private var termination: Termination?

  package init(_ cleanups: [Cleanup], kernel: any Kernel, loop: EventLoop) {
    self.cleanups = cleanups
    self.remaining = cleanups
    self.kernel = kernel
    self.loop = loop
  }

  /// One that runs before all there are now.
  package func add(_ cleanup: Cleanup) {
    self.cleanups.append(cleanup)
    self.remaining.append(cleanup)
  }

  package var longest: Duration {
    self.cleanups.reduce(.zero) { $0 + $1.timeout + .seconds(1) + Escalation.longestKillWait }
  }

  package func run(completion: @escaping ([String]) -> Void) {
    self.completion = completion
    // Where that cannot be seen, the first cleanup gets the blame, and nobody is overlooked.
    let left = try? self.kernel.descendants(of: self.kernel.selfIdentifier)
    self.earlierSurvivors = Set((left ?? []).map(\.identity))
    self.next()
  }

  package func hurry() { self.giveUp(.standard(grace: .seconds(1))) }

  package func kill() {
    self.failures += self.remaining.reversed().map { "\($0.name): skipped" }
    self.remaining = []
    self.giveUp(Escalation(steps: []))
    self.termination?.skipToKill()
  }

  private func giveUp(_ escalation: Escalation) {
    guard let current = self.current, self.status == nil, self.termination == nil else { return }
    self.failures.append(
      "\(current.cleanup.name): \(current.leader == nil ? "left" : "ended") before it was done")
    if let timer = self.timer { self.scheduler.cancel(timer) }
    self.end(escalation)
  }

  /// SIGCHLD came while cleanups run.
  func childrenChanged() {
    // What code starts, code waits for, until it has ended.
    guard let current = self.current, current.leader != nil || self.termination != nil else { return }
    if self.status == nil, let leader = current.leader, let status = self.kernel.peekExit(of: leader) {
      self.status = status
      if let timer = self.timer { self.scheduler.cancel(timer) }
      if self.termination == nil { self.end(.standard(grace: .seconds(1))) }
    }
    do throws(ProcessError) {
      for child in try self.kernel.children(of: self.kernel.selfIdentifier) where child != current.leader {
        _ = self.kernel.reap(child)
      }
    } catch {
      // Whoever has ended is still to be reaped, and nobody will say so again.
      _ = self.scheduler.schedule(at: self.scheduler.now.advanced(by: .milliseconds(20))) {
        [unowned self] in self.childrenChanged()
      }
    }
    self.termination?.membersChanged()
  }

  private func next() {
    guard let cleanup = self.remaining.popLast() else {
      let completion = self.completion
      self.completion = nil
      completion?(self.failures)
      return
    }
    self.begun += 1
    self.earlierFailures = self.failures.count
    self.whenHappened(.cleanupBegan(cleanup.name))
    do throws(ProcessError) {
      self.status = nil
      self.termination = nil
      self.current = Current(cleanup: cleanup, leader: nil, number: self.begun)
      switch cleanup {
      case .command(let command): self.current?.leader = try self.start(command)
      case .closure(let closure): try self.start(closure, number: self.begun)
      }
      self.timer = self.scheduler.schedule(at: self.scheduler.now.advanced(by: cleanup.timeout)) {
        [unowned self] in
        self.failures.append("\(cleanup.name): not done within \(cleanup.timeout.text)")
        self.end(.standard(grace: .seconds(1)))
      }
      self.childrenChanged()
    } catch {
      self.current = nil
      self.failures.append("\(cleanup.name): \(error)")
      self.whenHappened(.cleanupEnded(cleanup.name, failure: "\(error)"))
      self.next()
    }
  }

  private func start(_ cleanup: CleanupCommand) throws(ProcessError) -> ProcessIdentifier {
    var command = Command(
      .name(ByteString(cleanup.command.first ?? "")),
      arguments: cleanup.command.dropFirst().map { ByteString($0) })
    command.standardInput = .null
    return try self.kernel.spawn(command).processIdentifier
  }

  private func start(_ cleanup: ClosureCleanup, number: Int) throws(ProcessError) {
    let handle = CleanupHandle(self)
    let (loop, body) = (self.loop, cleanup.body)
    let error = CleanupThread.start {
      var failure: String?
      do {
        try body()
      } catch {
        failure = "\(error)"
      }
      let result = failure
      loop.perform { handle.cleanups?.codeEnded(number, failure: result) }
    }
    guard error == 0 else {
      throw ProcessError(.eventLoop, doing: "start a thread", underlyingError: Errno(rawValue: error))
    }
  }

  fileprivate func codeEnded(_ number: Int, failure: String?) {
    guard let current = self.current, current.number == number, self.termination == nil else { return }
    if let timer = self.timer { self.scheduler.cancel(timer) }
    if let failure { self.failures.append("\(current.cleanup.name): \(failure)") }
    self.end(.standard(grace: .seconds(1)))
  }

  /// Ends the cleanup, or what it left behind, and goes on to the next.
  private func end(_ escalation: Escalation) {
    let target = Termination.Target(
      members: { [unowned self] () throws(ProcessError) in
        try self.kernel.descendants(of: self.kernel.selfIdentifier).filter {
          ($0.processIdentifier != self.current?.leader || self.status == nil)
            && !self.earlierSurvivors.contains($0.identity)
        }
      },
      send: { [unowned self] signal, members in self.kernel.send(signal, toAll: members) })
    let termination = Termination(scheduler: self.scheduler, escalation: escalation, target: target) {
      [unowned self] result in
      self.ended(result)
    }
    self.termination = termination
    // What code has started and not waited for has ended without a word to us.
    if self.current?.leader == nil { self.childrenChanged() }
    termination.start()
  }

  private func ended(_ result: StopResult) {
    guard let current = self.current else { return }
    self.current = nil
    if let timer = self.timer { self.scheduler.cancel(timer) }
    let prefix = "\(current.cleanup.name): "
    let status = current.leader.flatMap { self.kernel.reap($0) }
    // One before it may have the same name.
    let known = self.failures.dropFirst(self.earlierFailures).contains { $0.hasPrefix(prefix) }
    if let status, !status.isSuccess, !known { self.failures.append("\(prefix)\(status)") }
    if !result.isEmpty { self.failures.append("\(prefix)left processes behind") }
    self.survivors += result.survivors.map { "\($0), of cleanup \(current.cleanup.name)" }
    if let error = result.unverified {
      self.survivors.append("nobody can say who, of cleanup \(current.cleanup.name): \(error)")
    }
    self.earlierSurvivors.formUnion(result.survivors.map(\.process.identity))
    let failure = self.failures.dropFirst(self.earlierFailures).last { $0.hasPrefix(prefix) }
      .map { String($0.dropFirst(prefix.count)) }
    self.whenHappened(.cleanupEnded(current.cleanup.name, failure: failure))
    self.next()
  }
}

/// Carries the cleanups past other threads, which do nothing with them but hand them back to the loop's.
private final class CleanupHandle: @unchecked Sendable {
  weak var cleanups: OrderedCleanups?

  init(_ cleanups: OrderedCleanups) { self.cleanups = cleanups }
}
