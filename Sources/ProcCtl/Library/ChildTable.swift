internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// The children of a ``ChildProcesses`` instance. Confined to its loop's thread.
final class ChildTable {
  private final class Child {
    let identity: ProcessIdentity
    let cookie: ByteString
    let leftovers: Escalation
    var descriptor: FileDescriptor?
    var stop: ForeignStop?
    var end: ProcessEnd?
    var waiters: [(ProcessEnd) -> Void] = []

    init(identity: ProcessIdentity, cookie: ByteString, leftovers: Escalation) {
      self.identity = identity
      self.cookie = cookie
      self.leftovers = leftovers
    }
  }

  private let loop: EventLoop
  private let kernel = LinuxKernel()
  private let policy: ReapingPolicy
  private var orphans: OrphanReaper
  private var children: [ProcessIdentity: Child] = [:]
  private var spawned: UInt64 = 0
  private let seed = MonotonicInstant.now.nanoseconds

  init(loop: EventLoop, policy: ReapingPolicy) {
    self.loop = loop
    self.policy = policy
    self.orphans = OrphanReaper(kernel: self.kernel, policy: policy)
  }

  func spawn(_ command: Command, leftovers: Escalation) throws(ProcessError) -> ProcessIdentity {
    self.spawned += 1
    let cookie = ByteString("\(getpid()):\(self.seed):\(self.spawned)")
    var command = command
    command.environment = command.environment.setting(ByteString(attributionCookieName), to: cookie)
    let identity = try self.kernel.spawn(command)
    AwaitedChildren.insert(identity)
    let child = Child(identity: identity, cookie: cookie, leftovers: leftovers)
    self.children[identity] = child
    let raw = cprocctl_pidfd_open(identity.processIdentifier.value, 0)
    guard raw >= 0 else {
      let error = Errno(rawValue: errno)
      self.stop(child, Escalation(steps: []))
      throw ProcessError(
        .spawn, doing: "open a pidfd", underlyingError: error, processIdentifier: identity.processIdentifier)
    }
    let descriptor = FileDescriptor(rawValue: raw)
    child.descriptor = descriptor
    try self.loop.watch(descriptor, for: .readable) { [unowned self] _ in
      self.loop.unwatch(descriptor)
      self.stop(child, leftovers)
    }
    return identity
  }

  func whenEnded(_ identity: ProcessIdentity, _ body: @escaping (ProcessEnd) -> Void) {
    guard let child = self.children[identity] else {
      // Ended and forgotten before: nothing of it is left.
      return body(ProcessEnd(status: nil, lastSignal: nil, survivors: []))
    }
    if let end = child.end { return body(end) }
    child.waiters.append(body)
  }

  func terminate(_ identity: ProcessIdentity, _ escalation: Escalation) {
    guard let child = self.children[identity], child.end == nil else { return }
    self.stop(child, escalation)
  }

  func send(_ signal: Signal, to identity: ProcessIdentity) {
    guard let child = self.children[identity], child.end == nil else { return }
    _ = try? self.kernel.send(signal, toGroupOf: identity.processIdentifier)
  }

  private func letGo(of child: Child) {
    guard let descriptor = child.descriptor else { return }
    child.descriptor = nil
    self.loop.unwatch(descriptor)
    close(descriptor.rawValue)
  }

  /// Ends the child, if it runs, and all that belongs to it, then reaps it. The
  /// child's zombie holds its session's number until then.
  private func stop(_ child: Child, _ escalation: Escalation) {
    // Its end while it is being stopped is one more change of the set.
    guard child.stop == nil, child.end == nil else { return }
    let leader = child.identity.processIdentifier
    var status = ProcessStatus(
      identity: child.identity, name: "", state: .dead, parent: self.kernel.selfIdentifier,
      processGroup: leader, session: leader)
    // Otherwise somebody else in this program has reaped it: what it left is ours to end all the same.
    if let current = self.kernel.status(of: leader), current.identity == child.identity { status = current }
    let mark = StopSelection.AdoptionMark(subreaper: self.kernel.selfIdentifier, cookie: child.cookie)
    let stop = ForeignStop(
      loop: self.loop, selections: [StopSelection(target: status, scope: .tree, mark: mark)])
    child.stop = stop
    stop.start(escalation) { [unowned self] result in
      self.ended(child, result)
    }
  }

  private func ended(_ child: Child, _ result: StopResult) {
    child.stop = nil
    // By the descriptor: the number could be another child's by now, if somebody else reaped this one.
    let status =
      if let descriptor = child.descriptor {
        self.kernel.reap(descriptor)
      } else {
        self.kernel.reap(child.identity.processIdentifier)
      }
    AwaitedChildren.remove(child.identity)
    self.letGo(of: child)
    let end = ProcessEnd(status: status, lastSignal: result.lastSignal, survivors: result.survivors)
    child.end = end
    for waiter in child.waiters { waiter(end) }
    child.waiters = []
    if self.policy != .trackedOnly { _ = self.orphans.collect(except: AwaitedChildren.current) }
  }

  /// Adopted orphans end without anybody being told, so look from time to time.
  func lookForOrphans() {
    guard let interval = self.policy.lookInterval else { return }
    _ = self.orphans.collect(except: AwaitedChildren.current)
    _ = self.loop.schedule(at: self.loop.now.advanced(by: interval)) { [unowned self] in
      self.lookForOrphans()
    }
  }
}
