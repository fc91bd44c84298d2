package import ProcCtl

/// The end of processes that have a port they must not have, under way.
package protocol HolderStop: Cancellable {
  /// Goes straight to KILL.
  func skipToKill()
}

/// What became of them.
package struct HolderEnd: Sendable, Equatable {
  /// What they were last sent; nil if they had gone before.
  package var lastSignal: Signal?
  /// Who is left, and why.
  package var survivors: [String]

  package init(lastSignal: Signal? = nil, survivors: [String] = []) {
    self.lastSignal = lastSignal
    self.survivors = survivors
  }
}

/// The real one: by number and start time, each watched by a pidfd, with all below them.
final class LoopHolderStop: HolderStop {
  private let stop: ForeignStop
  private var completion: ((HolderEnd) -> Void)?

  /// - Throws: `ProcessError` with code `.inspect` if nobody can say who they are.
  init(
    _ processes: [ProcessIdentity], on loop: EventLoop, completion: @escaping (HolderEnd) -> Void
  ) throws(ProcessError) {
    let kernel = LinuxKernel()
    var roots: [StopSelection.Root] = []
    for process in processes {
      if let living = try process.living(kernel: kernel) { roots.append(StopSelection.Root(target: living)) }
    }
    self.stop = ForeignStop(
      loop: loop, parts: [ForeignStop.Part(StopSelection(roots: roots))], exempt: try kernel.ancestry())
    self.completion = completion
    self.stop.start(.standard(grace: EscalationRun<StopRequest>.leftoverGrace)) { [self] result in
      var survivors = result.survivors.map(\.description)
      if let error = result.unverified { survivors.append("nobody can say who: \(error)") }
      let completion = self.completion
      self.completion = nil
      // Its end is told by a look, perhaps within our own beginning.
      let end = HolderEnd(lastSignal: result.lastSignal, survivors: survivors)
      _ = loop.schedule(at: loop.now) { completion?(end) }
    }
  }

  func cancel() { self.completion = nil }

  func skipToKill() { self.stop.skipToKill() }
}
