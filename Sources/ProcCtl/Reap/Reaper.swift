/// Collects the children of this process that have ended: one per process,
/// because statuses go to whoever waits first.
///
/// A leader (a child somebody asked for) is reported when it ends and stays a
/// zombie until it is released: unreaped it pins its pid, process group and
/// session, so that what is left of them can still be found and signalled.
/// Everybody else who ends here is an adopted orphan and is reaped at once.
package final class Reaper {
  package enum Event: Equatable, Sendable {
    case leaderEnded(ProcessIdentifier, TerminationStatus)
    case orphanReaped(ProcessIdentifier, TerminationStatus)
    /// No child is left, so no descendant either.
    case noChildrenLeft
    /// Children kept ending for as long as ``Reaper/patience``: collect again soon, and do
    /// meanwhile what else is due.
    case moreToCollect
    /// Who else has ended cannot be looked up now; call ``Reaper/collect()`` again soon.
    case unreadable(String)
  }

  /// How long one ``collect()`` goes on while more and more children end. Processes that do nothing
  /// but fork and exit may leave zombies faster than they can be reaped.
  package static let patience = Duration.milliseconds(10)

  private enum Leader {
    case running
    case ended
  }

  private let kernel: any Kernel
  private var leaders: [ProcessIdentifier: Leader] = [:]
  private var heldZombies = 0

  package init(kernel: any Kernel) {
    self.kernel = kernel
  }

  /// Takes charge of a child just spawned.
  package func hold(_ leader: ProcessIdentifier) {
    self.leaders[leader] = .running
  }

  /// Whether it is a leader that is not released yet.
  package func isHeld(_ process: ProcessIdentifier) -> Bool {
    self.leaders[process] != nil
  }

  /// Reaps a leader, if it has ended, and forgets it.
  @discardableResult
  package func release(_ leader: ProcessIdentifier) -> TerminationStatus? {
    guard let state = self.leaders[leader], let status = self.kernel.reap(leader) else { return nil }
    if state == .ended { self.heldZombies -= 1 }
    self.leaders[leader] = nil
    return status
  }

  /// Collects all that have ended. Call it when SIGCHLD came: one SIGCHLD can
  /// stand for many children, so it asks until the kernel has nothing more, or
  /// until ``patience`` is over.
  package func collect() -> [Event] {
    var events: [Event] = []
    let deadline = self.kernel.now.advanced(by: Self.patience)
    // waitid(P_ALL) is the cheap way, as long as no zombie we keep stands in front:
    // it would be returned for ever.
    while self.heldZombies == 0 {
      switch self.kernel.peekAnyExit() {
      case .noChildren:
        events.append(.noChildrenLeft)
        return events
      case .allRunning:
        return events
      case .ended(let child, let status):
        self.take(child, status, into: &events)
        if self.kernel.now >= deadline { return events + [.moreToCollect] }
      }
    }
    // A reaped child can leave orphans that are dead already, so look until a pass reaps nobody.
    // A leader that has ended is not reaped, and what it left was ours before it could be waited for.
    var reapedAny = true
    var isBlind = false
    while reapedAny {
      reapedAny = false
      var children = self.leaders.keys.sorted()
      do throws(ProcessError) {
        children = try self.kernel.children(of: self.kernel.selfIdentifier)
      } catch {
        if !isBlind { events.append(.unreadable(error.description)) }
        isBlind = true
      }
      for child in children {
        guard self.leaders[child] != .ended, let status = self.kernel.peekExit(of: child) else { continue }
        self.take(child, status, into: &events)
        if self.kernel.now >= deadline { return events + [.moreToCollect] }
        if self.leaders[child] == nil { reapedAny = true }
      }
    }
    return events
  }

  private func take(_ child: ProcessIdentifier, _ status: TerminationStatus, into events: inout [Event]) {
    if self.leaders[child] != nil {
      self.leaders[child] = .ended
      self.heldZombies += 1
      events.append(.leaderEnded(child, status))
    } else if self.kernel.reap(child) != nil {
      events.append(.orphanReaped(child, status))
    }
  }
}
