internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Runs one command and answers for everything it starts.
///
/// This process becomes a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so that
/// whatever the command's descendants do (new sessions, double forks) they stay
/// below us. The command's end is not the end: what it leaves behind gets the
/// stop signal, the grace, KILL. Only when nobody is left is the command reaped
/// and the guard done. Beneath a master, which ends what is left by its own plan, the
/// guard only watches, until the master is gone.
///
/// Confined to the loop's thread; it takes over this process's signals.
package final class CommandGuard {
  private let loop: EventLoop
  private let kernel: LinuxKernel
  private let reaper: Reaper
  private let guarded: GuardedCommand
  private let signals: SignalReader
  private let terminal: Terminal?
  private var cgroup: Cgroup?
  private let startedAt = MonotonicInstant.now

  private var leader = ProcessIdentity(processIdentifier: ProcessIdentifier(0), startTime: 0)
  private var status: TerminationStatus?
  private var timedOut = false
  private var leftovers = 0
  private var termination: Termination?
  private var isKilling = false
  /// Everyone who was below this process already, started by a program that became us by
  /// execve, and whoever they start. Not the command's.
  private var inherited: Set<ProcessIdentity> = []
  private var report: GuardReport?
  private var lifelineIsBroken = false
  private var looksAgain = false
  /// Called once, when the command's own process has ended, with how many it left behind.
  package var whenCommandEnded: ((TerminationStatus, _ leftovers: Int) -> Void)?

  /// How long everybody has once the lifeline is broken: whoever held it is gone
  /// and soon somebody may want the ports.
  private static let brokenLifelineGrace = Duration.milliseconds(500)

  /// Takes over signals and adopts orphans from here on.
  ///
  /// - Parameter loop: Not running yet; ``run(onStart:)`` runs it.
  package init(_ guarded: GuardedCommand, on loop: EventLoop) throws(ProcessError) {
    self.guarded = guarded
    self.kernel = LinuxKernel()
    self.reaper = Reaper(kernel: self.kernel)
    self.loop = loop
    self.signals = try SignalReader(signals: Signal.all.filter { $0 != .kill && $0 != .stop })
    self.terminal = guarded.foreground == .never ? nil : Terminal.inForeground()
    guard cprocctl_set_child_subreaper(1) == 0 else {
      throw ProcessError(
        .contain, doing: "become a subreaper", underlyingError: Errno(rawValue: errno))
    }
  }

  /// Starts the command and returns when nothing of it is left, or when what is
  /// left cannot be ended.
  ///
  /// - Parameter onStart: Called once the program runs.
  /// - Throws: `ProcessError` if the command cannot be started.
  package func run(onStart: (ProcessIdentity) -> Void = { _ in }) throws(ProcessError) -> GuardReport {
    try self.kernel.verifyView()
    self.inherited = Set(try self.kernel.descendants(of: self.kernel.selfIdentifier).map(\.identity))
    // All that can fail comes before there is somebody to be left behind.
    try self.loop.watch(self.signals.descriptor, for: .readable) { [self] _ in self.readSignals() }
    do throws(ProcessError) {
      if let lifeline = self.guarded.lifeline {
        try self.loop.watch(lifeline, for: .readable) { [self] _ in self.readLifeline(lifeline) }
      }
      try self.start()
    } catch {
      if let lifeline = self.guarded.lifeline { self.loop.unwatch(lifeline) }
      self.loop.unwatch(self.signals.descriptor)
      throw error
    }
    onStart(self.leader)
    if let limit = self.guarded.timeLimit {
      self.loop.schedule(at: self.startedAt.advanced(by: limit)) { [self] in self.timeLimitReached() }
    }
    // It may have ended before SIGCHLD was watched for.
    self.childrenChanged()
    try self.loop.run()
    self.loop.unwatch(self.signals.descriptor)
    guard let report = self.report else {
      throw ProcessError(
        .eventLoop, doing: "wait for the command", processIdentifier: self.leader.processIdentifier)
    }
    return report
  }

  private func start() throws(ProcessError) {
    var command = self.guarded.command
    if let terminal = self.terminal {
      command.session = .newGroup(foregroundOf: terminal.descriptor)
    } else if self.guarded.foreground == .always {
      command.session = .newGroup(foregroundOf: nil)
    }
    if self.guarded.usesCgroup {
      let cgroup = try Cgroup(
        name: "procctl-spawn-\(self.kernel.selfIdentifier)", under: CgroupHierarchy.current().own)
      self.cgroup = cgroup
      command.setup.cgroupProcs = cgroup.procs
    }
    do throws(ProcessError) {
      self.leader = try self.kernel.spawn(command)
    } catch {
      self.terminal?.takeForegroundBack()
      self.cgroup?.remove()
      throw error
    }
    self.reaper.hold(self.leader.processIdentifier)
  }

  // MARK: Events

  private func readSignals() {
    self.handle(self.signals.read())
  }

  private func handle(_ arrivals: [SignalReader.Arrival]) {
    var childrenChanged = false
    for arrival in arrivals {
      if arrival.signal == .childChanged {
        childrenChanged = true
      } else {
        self.received(arrival)
      }
    }
    if childrenChanged { self.childrenChanged() }
  }

  private func received(_ arrival: SignalReader.Arrival) {
    // Our own doing, such as SIGPIPE for a report nobody reads, is no news to the command.
    if arrival.sender == self.kernel.selfIdentifier { return }
    let signal = arrival.signal
    // Of signals that are pending together the lowest number is read first (signal(7)): the command may
    // have ended before this one came, and SIGCHLD not have been read.
    if self.status == nil, self.kernel.peekExit(of: self.leader.processIdentifier) != nil {
      self.childrenChanged()
    }
    if self.status != nil {
      // The command is gone and its leftovers are being stopped; they were not
      // asked for, so only impatience is listened to.
      if signal == .interrupt { self.termination?.hurry() }
      if signal == .quit { self.termination?.skipToKill() }
      return
    }
    if signal == .terminalStop, self.terminal == nil { return self.suspendWithCommand() }
    // `fg` after `bg`: the shell gave the terminal to us, and it is the command's.
    if signal == .continue, let terminal = self.terminal, terminal.isOurs {
      terminal.giveForeground(to: self.leader.processIdentifier)
    }
    // The kernel sends these to us for touching the terminal ourselves; they are no news to the command.
    let sentByKernel = arrival.code > 0
    if sentByKernel, signal == .terminalInput || signal == .terminalOutput { return }

    guard let mapped = self.guarded.signalMap[signal, default: signal] else { return }
    if signal == .terminate { return self.stop(sending: mapped) }
    _ = try? self.kernel.send(mapped, toGroupOf: self.leader.processIdentifier)
  }

  /// A group without a parent in its session ignores TSTP, so a command in a
  /// session of its own is stopped outright, and continued with us.
  private func suspendWithCommand() {
    _ = try? self.kernel.send(.stop, toGroupOf: self.leader.processIdentifier)
    Terminal.suspendOurselves()
    let meanwhile = self.arrivalsWithoutContinue()
    _ = try? self.kernel.send(.continue, toGroupOf: self.leader.processIdentifier)
    self.handle(meanwhile)
  }

  /// What came while we were stopped, but for the SIGCONT that ended it: passed on
  /// later, it would continue a command that has been stopped anew.
  private func arrivalsWithoutContinue() -> [SignalReader.Arrival] {
    self.signals.read().filter { $0.signal != .continue }
  }

  private func timeLimitReached() {
    guard self.status == nil else { return }
    self.timedOut = true
    self.stop(sending: self.guarded.stopSignal)
  }

  private func childrenChanged() {
    var more = false
    for event in self.reaper.collect() {
      switch event {
      case .leaderEnded(_, let status): self.leaderEnded(status)
      case .orphanReaped, .noChildrenLeft: break
      case .moreToCollect: more = true
      case .unreadable: self.lookAgainSoon()
      }
    }
    if self.status == nil { self.followStoppedCommand() }
    if more {
      // Signals and timers first. With zombies left, a look would be long and find the set not empty.
      self.loop.schedule(at: .now.advanced(by: .milliseconds(1))) { [self] in self.childrenChanged() }
      return
    }
    self.termination?.membersChanged()
    self.endIfAlone()
  }

  /// Beneath a master that ends what is left: the guard goes when it sees that nobody is.
  private func endIfAlone() {
    guard self.guarded.leftovers == .left, self.status != nil, self.termination == nil, self.report == nil
    else { return }
    do throws(ProcessError) {
      guard try self.members().isEmpty else { return }
    } catch {
      return self.lookAgainSoon()
    }
    self.ended(StopResult(lastSignal: nil, survivors: [], duration: .zero))
  }

  /// Something could not be looked up, and nobody will say when it can.
  private func lookAgainSoon() {
    guard !self.looksAgain else { return }
    self.looksAgain = true
    _ = self.loop.schedule(at: self.loop.now.advanced(by: .milliseconds(20))) { [self] in
      self.looksAgain = false
      self.childrenChanged()
    }
  }

  /// Ctrl-Z stopped the command in the foreground: stop too, so that the shell
  /// above takes its terminal back, and hand it over again when we continue.
  private func followStoppedCommand() {
    guard let terminal = self.terminal, Terminal.hasStopped(self.leader.processIdentifier) else { return }
    terminal.takeForegroundBack(from: self.leader.processIdentifier)
    Terminal.suspendOurselves()
    let meanwhile = self.arrivalsWithoutContinue()
    if terminal.isOurs { terminal.giveForeground(to: self.leader.processIdentifier) }
    _ = try? self.kernel.send(.continue, toGroupOf: self.leader.processIdentifier)
    self.handle(meanwhile)
  }

  private func leaderEnded(_ status: TerminationStatus) {
    self.status = status
    self.terminal?.takeForegroundBack(from: self.leader.processIdentifier)
    // Whoever cannot be looked up now is found by the termination, or by the master.
    let seen = (try? self.members()) ?? (try? self.members())
    let left = seen ?? []
    self.leftovers = left.count
    // Nobody can say that nobody is left: then somebody is taken to be.
    self.whenCommandEnded?(status, seen?.count ?? 1)
    if self.termination == nil {
      guard self.guarded.leftovers == .ended else { return }
      self.terminate(with: .standard(signal: self.guarded.stopSignal, grace: self.guarded.grace))
    } else if !left.isEmpty {
      // The stop was addressed to the command's group; those outside of it hear it now.
      self.kernel.send(self.guarded.stopSignal, toAll: left)
    }
  }

  // MARK: Stopping

  private func readLifeline(_ lifeline: FileDescriptor) {
    var ignored = [UInt8](repeating: 0, count: 64)
    let count = read(lifeline.rawValue, &ignored, ignored.count)
    guard count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN) else { return }
    self.loop.unwatch(lifeline)
    self.lifelineIsBroken = true
    guard let termination = self.termination else {
      let grace = min(self.guarded.grace, CommandGuard.brokenLifelineGrace)
      return self.terminate(with: .standard(signal: self.guarded.stopSignal, grace: grace))
    }
    self.loop.schedule(at: self.loop.now.advanced(by: CommandGuard.brokenLifelineGrace)) {
      termination.skipToKill()
    }
  }

  /// Asks the command's process group to end, and starts the clock that ends it by force.
  private func stop(sending signal: Signal) {
    guard self.termination == nil else {
      _ = try? self.kernel.send(signal, toGroupOf: self.leader.processIdentifier)
      return
    }
    self.terminate(with: .standard(signal: signal, grace: self.guarded.grace))
  }

  private func terminate(with escalation: Escalation) {
    let target = Termination.Target(
      members: { [self] () throws(ProcessError) in try self.members() },
      send: { [self] signal, members in self.send(signal, to: members) },
      urgently: { [self] body in self.kernel.urgently(body) })
    let termination = Termination(scheduler: self.loop, escalation: escalation, target: target) {
      [self] result in
      self.ended(result)
    }
    self.termination = termination
    termination.start()
  }

  /// Everyone below us but the command's zombie and whom we had before it.
  private func members() throws(ProcessError) -> [ProcessStatus] {
    // A look takes long while thousands come and go, so whoever is to be killed is not looked at before.
    if self.isKilling, self.inherited.isEmpty { self.kernel.killChildren() }
    var excluded: Set<ProcessIdentifier> = []
    return try self.kernel.descendants(of: self.kernel.selfIdentifier).filter { process in
      if self.inherited.contains(process.identity) || excluded.contains(process.parent) {
        excluded.insert(process.processIdentifier)
        self.inherited.insert(process.identity)
        return false
      }
      // The longer the look, the more have died meanwhile; whom we can reap is no member any more.
      if process.isDead, process.parent == self.kernel.selfIdentifier,
        !self.reaper.isHeld(process.processIdentifier),
        self.kernel.reap(process.processIdentifier) != nil
      {
        return false
      }
      // By its number, which is its own until it is reaped.
      return process.processIdentifier != self.leader.processIdentifier || self.status == nil
    }
  }

  private func send(_ signal: Signal, to members: [ProcessStatus]) -> [(ProcessStatus, ProcessError)] {
    if signal == .kill {
      try? self.cgroup?.kill()
      self.isKilling = true
    } else if self.status == nil, !self.lifelineIsBroken {
      let pid = self.leader.processIdentifier
      _ = try? self.kernel.send(signal, toGroupOf: pid)
      if signal.needsContinue { _ = try? self.kernel.send(.continue, toGroupOf: pid) }
      return []
    }
    return self.kernel.send(signal, toAll: members)
  }

  private func ended(_ result: StopResult) {
    self.reaper.release(self.leader.processIdentifier)
    // Now that no zombie is kept, the dead can be told from the living without /proc.
    _ = self.reaper.collect()
    let nobodyIsLeft = self.kernel.peekAnyExit() == .noChildren
    let isRemoved = self.cgroup?.remove() ?? true
    self.report = GuardReport(
      status: self.status, identity: self.leader, timedOut: self.timedOut, leftovers: self.leftovers,
      lastSignal: result.lastSignal, survivors: result.survivors,
      isProven: nobodyIsLeft || !self.inherited.isEmpty && result.unverified == nil,
      unverified: nobodyIsLeft ? nil : result.unverified,
      leftCgroup: isRemoved ? nil : self.cgroup?.path, duration: self.startedAt.duration(to: .now))
    self.loop.stop()
  }
}
