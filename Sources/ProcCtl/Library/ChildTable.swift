internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// One child of a ``ChildProcesses`` instance, from its spawn to the end of all
/// it started. Confined to the loop's thread; its handle keeps it.
final class Child {
  let identity: ProcessIdentity
  fileprivate let cookie: ByteString
  fileprivate let leftovers: Escalation
  fileprivate var descriptor: FileDescriptor?
  fileprivate var stop: ForeignStop?
  fileprivate var end: ProcessEnd?
  fileprivate var waiters: [(ProcessEnd) -> Void] = []

  fileprivate init(identity: ProcessIdentity, cookie: ByteString, leftovers: Escalation) {
    self.identity = identity
    self.cookie = cookie
    self.leftovers = leftovers
  }
}

/// The children of a ``ChildProcesses`` instance that have not ended. Confined
/// to its loop's thread.
final class ChildTable {
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

  func spawn(_ command: Command, leftovers: Escalation) throws(ProcessError) -> Child {
    self.spawned += 1
    let cookie = ByteString("\(getpid()):\(self.seed):\(self.spawned)")
    var command = command
    command.environment = command.environment.setting(ByteString(attributionCookieName), to: cookie)
    let identity = try self.kernel.spawn(command)
    AwaitedChildren.insert(identity)
    let child = Child(identity: identity, cookie: cookie, leftovers: leftovers)
    self.children[identity] = child
    do throws(ProcessError) {
      try self.watch(child)
    } catch {
      // Nobody would learn of its end.
      self.stop(child, Escalation(steps: []))
      throw error
    }
    return child
  }

  private func watch(_ child: Child) throws(ProcessError) {
    let pid = child.identity.processIdentifier
    let raw = cprocctl_pidfd_open(pid.value, 0)
    guard raw >= 0 else {
      throw ProcessError(
        .spawn, doing: "open a pidfd", underlyingError: Errno(rawValue: errno), processIdentifier: pid)
    }
    let descriptor = FileDescriptor(rawValue: raw)
    do throws(ProcessError) {
      try self.loop.watch(descriptor, for: .readable) { [unowned self, unowned child] _ in
        // Kept open: what is reaped by it cannot be another child that has the number by now.
        self.loop.unwatch(descriptor)
        self.stop(child, child.leftovers)
      }
    } catch {
      close(raw)
      throw error
    }
    child.descriptor = descriptor
  }

  func whenEnded(_ child: Child, _ body: @escaping (ProcessEnd) -> Void) {
    if let end = child.end { return body(end) }
    child.waiters.append(body)
  }

  func terminate(_ child: Child, _ escalation: Escalation) {
    guard child.end == nil else { return }
    self.stop(child, escalation)
  }

  func send(_ signal: Signal, to child: Child) {
    guard child.end == nil,
      (try? self.kernel.status(of: child.identity.processIdentifier))?.identity == child.identity
    else { return }
    _ = try? self.kernel.send(signal, toGroupOf: child.identity.processIdentifier)
  }

  private func letGo(of child: Child) {
    guard let descriptor = child.descriptor else { return }
    child.descriptor = nil
    self.loop.unwatch(descriptor)
    close(descriptor.rawValue)
  }

  /// Ends the child, if it runs, and all that belongs to it, then reaps it. The
  /// child's zombie holds its session's number until then, unless somebody else
  /// in this program has reaped it: its status is lost then, and not its leftovers.
  private func stop(_ child: Child, _ escalation: Escalation) {
    // Its end while it is being stopped is one more change of the set.
    guard child.stop == nil, child.end == nil else { return }
    let selection: StopSelection
    // Where it cannot be looked at, the cookie alone must do.
    if let status = try? self.kernel.status(of: child.identity.processIdentifier),
      status.identity == child.identity
    {
      selection = StopSelection(
        target: status, scope: .tree,
        mark: .init(subreaper: self.kernel.selfIdentifier, cookie: child.cookie))
    } else {
      selection = StopSelection(leftBy: child.cookie)
    }
    let stop = ForeignStop(loop: self.loop, selections: [selection])
    child.stop = stop
    stop.start(escalation) { [unowned self] result in
      self.ended(child, result)
    }
  }

  private func ended(_ child: Child, _ result: StopResult) {
    child.stop = nil
    self.children[child.identity] = nil
    // By the descriptor: the number could be another child's by now, if somebody else reaped this one.
    let status =
      if let descriptor = child.descriptor {
        self.kernel.reap(descriptor)
      } else {
        self.kernel.reap(child.identity.processIdentifier)
      }
    AwaitedChildren.remove(child.identity)
    self.letGo(of: child)
    let end = ProcessEnd(
      status: status, lastSignal: result.lastSignal, survivors: result.survivors,
      unverified: result.unverified)
    child.end = end
    let waiters = child.waiters
    child.waiters = []
    for waiter in waiters { waiter(end) }
    if self.policy != .trackedOnly { _ = self.orphans.collect(except: AwaitedChildren.current) }
  }

  /// Adopted orphans end without anybody being told, so look from time to time.
  func lookForOrphans() {
    guard self.policy != .trackedOnly else { return }
    _ = self.orphans.collect(except: AwaitedChildren.current)
    guard let interval = self.orphans.lookInterval else { return }
    _ = self.loop.schedule(at: self.loop.now.advanced(by: interval)) { [unowned self] in
      self.lookForOrphans()
    }
  }
}
