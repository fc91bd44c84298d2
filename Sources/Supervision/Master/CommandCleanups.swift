internal import ProcCtl

/// The configuration's cleanups: commands, run one after another once nothing
/// else is left, the last registered first. By then every descendant is theirs.
final class CommandCleanups: CleanupRunner {
  private let cleanups: [CleanupCommand]
  private let kernel: any Kernel
  private let scheduler: any Scheduler
  private var remaining: [CleanupCommand]
  private var failures: [String] = []
  private var completion: (([String]) -> Void)?
  private var current: (command: CleanupCommand, leader: ProcessIdentifier)?
  private var status: TerminationStatus?
  private var timer: TimerIdentifier?
  private var termination: Termination?
  /// Told when one begins and when it has ended.
  var whenTold: ((MasterEvent) -> Void)?

  init(_ cleanups: [CleanupCommand], kernel: any Kernel, scheduler: any Scheduler) {
    self.cleanups = cleanups
    self.remaining = cleanups
    self.kernel = kernel
    self.scheduler = scheduler
  }

  var longest: Duration {
    self.cleanups.reduce(.zero) { $0 + $1.timeout + .seconds(1) + Escalation.longestKillWait }
  }

  func run(completion: @escaping ([String]) -> Void) {
    self.completion = completion
    self.next()
  }

  func hurry() { self.giveUp(.standard(grace: .seconds(1))) }

  func kill() {
    self.failures += self.remaining.reversed().map { "\($0.name): skipped" }
    self.remaining = []
    self.giveUp(Escalation(steps: []))
    self.termination?.skipToKill()
  }

  private func giveUp(_ escalation: Escalation) {
    guard let current = self.current, self.status == nil, self.termination == nil else { return }
    self.failures.append("\(current.command.name): ended before it was done")
    if let timer = self.timer { self.scheduler.cancel(timer) }
    self.end(escalation)
  }

  /// SIGCHLD came while cleanups run.
  func childrenChanged() {
    guard let current = self.current else { return }
    if self.status == nil, let status = self.kernel.peekExit(of: current.leader) {
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
    self.whenTold?(.cleanupBegan(cleanup.name))
    var command = Command(
      .name(ByteString(cleanup.command.first ?? "")),
      arguments: cleanup.command.dropFirst().map { ByteString($0) })
    command.standardInput = .null
    do throws(ProcessError) {
      let identity = try self.kernel.spawn(command)
      self.status = nil
      self.termination = nil
      self.current = (cleanup, identity.processIdentifier)
      self.timer = self.scheduler.schedule(at: self.scheduler.now.advanced(by: cleanup.timeout)) {
        [unowned self] in
        self.failures.append("\(cleanup.name): not done within \(cleanup.timeout.text)")
        self.end(.standard(grace: .seconds(1)))
      }
      self.childrenChanged()
    } catch {
      self.failures.append("\(cleanup.name): \(error)")
      self.tellEnd(of: cleanup.name)
      self.next()
    }
  }

  /// Ends the cleanup, or what it left behind, and goes on to the next.
  private func end(_ escalation: Escalation) {
    let target = Termination.Target(
      members: { [unowned self] () throws(ProcessError) in
        try self.kernel.descendants(of: self.kernel.selfIdentifier).filter {
          $0.processIdentifier != self.current?.leader || self.status == nil
        }
      },
      send: { [unowned self] signal, members in self.kernel.send(signal, toAll: members) })
    let termination = Termination(scheduler: self.scheduler, escalation: escalation, target: target) {
      [unowned self] result in
      self.ended(result)
    }
    self.termination = termination
    termination.start()
  }

  private func ended(_ result: StopResult) {
    guard let current = self.current else { return }
    self.current = nil
    if let timer = self.timer { self.scheduler.cancel(timer) }
    let status = self.kernel.reap(current.leader)
    let known = self.failures.contains { $0.hasPrefix("\(current.command.name): ") }
    if let status, !status.isSuccess, !known { self.failures.append("\(current.command.name): \(status)") }
    if !result.isEmpty { self.failures.append("\(current.command.name): left processes behind") }
    self.tellEnd(of: current.command.name)
    self.next()
  }

  private func tellEnd(of name: String) {
    let failure = self.failures.last { $0.hasPrefix("\(name): ") }
    self.whenTold?(.cleanupEnded(name, failure: failure.map { String($0.dropFirst(name.count + 2)) }))
  }
}
