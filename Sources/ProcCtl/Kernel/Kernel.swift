/// What the process core asks of the kernel, and nothing more.
///
/// What is gone is nil or absent. What is there and cannot be looked at (no
/// descriptor or memory left, say) is thrown, with code `.inspect`: a set of
/// processes that cannot be read is not an empty one.
///
/// One conformance is Linux; the other is a simulation with virtual time, in
/// which a schedule of faults can be replayed. All calls return at once.
package protocol Kernel: AnyObject {
  var now: MonotonicInstant { get }

  /// The process all of this runs in.
  var selfIdentifier: ProcessIdentifier { get }

  /// Starts the command; the child is not reaped before ``reap(_:)``.
  func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity

  /// The process as /proc shows it; nil once it is reaped.
  func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus?

  /// The same of a process that was just listed among the parent's children. Where /proc hides it
  /// (hidepid, proc(5)) it is there all the same, and no more than that can be said of it: its state is
  /// ``ProcessStatus/State/unseen`` then.
  func status(
    of process: ProcessIdentifier, listedBelow parent: ProcessIdentifier
  ) throws(ProcessError) -> ProcessStatus?

  /// The direct children, zombies among them; empty if the process is gone.
  func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier]

  /// Our children, apart by how they can have become ours; nil if that changed while we looked.
  func childrenByOrigin() throws(ProcessError) -> ChildrenByOrigin?

  /// Every process we are allowed to see.
  func allProcesses() throws(ProcessError) -> [ProcessStatus]

  /// The value of ``attributionCookieName`` in the environment the process
  /// started with; nil where there is none or we are not allowed to read it.
  func cookie(of process: ProcessIdentifier) throws(ProcessError) -> ByteString?

  /// How the child ended, without reaping it; nil while it runs.
  func peekExit(of child: ProcessIdentifier) -> TerminationStatus?

  /// The first child that has ended, without reaping it.
  func peekAnyExit() -> AnyChildExit

  /// Reaps the child if it has ended.
  func reap(_ child: ProcessIdentifier) -> TerminationStatus?

  /// Sends the signal to that very process, never to one that reuses its number.
  func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery

  /// Sends the signal to the process group of a child that is not reaped yet
  /// (unreaped, the child pins the group's number).
  func send(_ signal: Signal, toGroupOf child: ProcessIdentifier) throws(ProcessError) -> SignalDelivery

  /// Runs the body, a look and the signals that follow from it, without letting others come in between
  /// where that can be had: who forks and exits all the time is somebody else a moment after the look.
  func urgently(_ body: () -> Void)
}

/// The children of this process. To wait(2) they are all the same, but each is
/// kept with one thread: a child with the one that started it, an adopted orphan
/// with the oldest thread.
package struct ChildrenByOrigin: Sendable {
  /// Adopted, or started by the thread that adopts.
  package var adoptable: [ProcessIdentifier]
  /// Started by another thread of this process.
  package var started: [ProcessIdentifier]

  package init(adoptable: [ProcessIdentifier], started: [ProcessIdentifier]) {
    self.adoptable = adoptable
    self.started = started
  }
}

/// The answer to "has any child ended?" (waitid(2) with P_ALL).
package enum AnyChildExit: Equatable, Sendable {
  /// There is no child at all: to a subreaper, the kernel's proof that no descendant is left.
  case noChildren
  /// There are children and all of them run.
  case allRunning
  case ended(ProcessIdentifier, TerminationStatus)
}

/// What became of a signal.
package enum SignalDelivery: Equatable, Sendable {
  case sent
  /// The process is gone, or its number belongs to another one now.
  case gone
}

extension Kernel {
  package func status(
    of process: ProcessIdentifier, listedBelow parent: ProcessIdentifier
  ) throws(ProcessError) -> ProcessStatus? { try self.status(of: process) }

  package func urgently(_ body: () -> Void) { body() }

  package func childrenByOrigin() throws(ProcessError) -> ChildrenByOrigin? {
    ChildrenByOrigin(adoptable: try self.children(of: self.selfIdentifier), started: [])
  }

  /// All processes below this one, dead ones among them, parents before children.
  ///
  /// A process whose parent dies while we look moves up to the subreaper, so the
  /// root's children are read again until a pass finds nobody new.
  package func descendants(of root: ProcessIdentifier) throws(ProcessError) -> [ProcessStatus] {
    var found: [ProcessStatus] = []
    var seen: Set<ProcessIdentifier> = []
    for _ in 0..<16 {
      let new = try self.children(of: root).filter { !seen.contains($0) }
      if new.isEmpty { break }
      try self.collect(new, below: root, into: &found, seen: &seen)
    }
    return found
  }

  /// These children of ours and all below them, parents before children.
  package func descendants(below roots: [ProcessIdentifier]) throws(ProcessError) -> [ProcessStatus] {
    var found: [ProcessStatus] = []
    var seen: Set<ProcessIdentifier> = []
    try self.collect(roots, below: self.selfIdentifier, into: &found, seen: &seen)
    return found
  }

  private func collect(
    _ roots: [ProcessIdentifier], below parent: ProcessIdentifier, into found: inout [ProcessStatus],
    seen: inout Set<ProcessIdentifier>
  ) throws(ProcessError) {
    var queue = roots.map { (process: $0, parent: parent) }
    while let next = queue.popLast() {
      guard seen.insert(next.process).inserted,
        let status = try self.status(of: next.process, listedBelow: next.parent)
      else { continue }
      found.append(status)
      // Whom an unseen one has started comes to us once it has ended.
      guard !status.isDead, status.state != .unseen else { continue }
      queue += try self.children(of: next.process).map { ($0, next.process) }
    }
  }

  /// This process, whoever it was started by, and process 1: those whom no stop may end.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if one of them cannot be looked up.
  package func ancestry() throws(ProcessError) -> Set<ProcessIdentity> {
    var found: Set<ProcessIdentity> = []
    var next = self.selfIdentifier
    // Beyond process 1, and beyond the border of a pid namespace, is 0; above one whom /proc hides, nobody knows.
    while next.value > 0, let status = try self.status(of: next, listedBelow: ProcessIdentifier(0)),
      found.insert(status.identity).inserted
    {
      next = status.parent
    }
    return found
  }

  /// Sends the signal to all of them; TERM, HUP, INT and QUIT are followed by
  /// CONT, because a stopped process does not see them before it continues.
  ///
  /// Returns those that may not be signalled (EPERM), with the error.
  @discardableResult
  package func send(_ signal: Signal, toAll members: [ProcessStatus]) -> [(ProcessStatus, ProcessError)] {
    var refused: [(ProcessStatus, ProcessError)] = []
    for member in members {
      do throws(ProcessError) {
        _ = try self.send(signal, to: member)
      } catch {
        refused.append((member, error))
      }
    }
    if signal.needsContinue {
      for member in members { _ = try? self.send(.continue, to: member) }
    }
    return refused
  }
}

extension Signal {
  /// Whether a stopped process must be continued to see it.
  package var needsContinue: Bool {
    [.terminate, .hangUp, .interrupt, .quit].contains(self)
  }
}
