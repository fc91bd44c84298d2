internal import Glibc
internal import ProcCtl

/// The end of a master that has nothing left to wait with.
extension Master {
  private static let abandonLimit = Duration.seconds(5)

  /// Kills everybody, again and again, until the kernel confirms that no child is left (ECHILD,
  /// waitid(2)) or time is over. Blocks meanwhile. Returns how it all went.
  func abandon(because error: ProcessError) -> ShutdownOutcome {
    self.outcome.failed("\(error)", .abandoned)
    self.stopLooking()
    let deadline = self.kernel.now.advanced(by: Self.abandonLimit)
    repeat {
      self.killEveryone()
      // Guards end by themselves, once what they watch has been killed and they have reaped it.
      poll(nil, 0, 10)
      if self.reapEveryone() {
        for worker in self.workers { self.ledger?.ended(worker: worker.definition.name) }
        return self.outcome
      }
    } while self.kernel.now < deadline
    do throws(ProcessError) {
      let left = try self.kernel.descendants(of: self.kernel.selfIdentifier)
      self.outcome.survivors += left.map { Survivor(examining: $0, refusal: nil).description }
    } catch {
      self.outcome.survivors.append("nobody can say who: \(error)")
    }
    return self.outcome
  }

  /// Whether nobody is left.
  private func reapEveryone() -> Bool {
    while true {
      switch self.kernel.peekAnyExit() {
      case .noChildren: return true
      case .allRunning: return false
      case .ended(let child, _):
        if let worker = self.leaders[child] { self.lastResort?.over(worker: worker.index) }
        self.leaders[child] = nil
        guard self.kernel.reap(child) != nil else { return false }
      }
    }
  }
}
