/// The order of a master's phases, from running to its report: events in, effects
/// out, each phase once and none left out. A value without clock or I/O.
package struct ShutdownOrder: ShutdownPolicy {
  package enum Phase: Sendable, Equatable, CaseIterable {
    case running
    /// Workers are being ended.
    case stopping
    /// What belongs to no worker is being ended.
    case sweeping
    case cleaning
    case ended
  }

  package enum Event: Sendable, Equatable, CaseIterable {
    /// Commanded: end everything.
    case stop
    /// Every worker is stopped or failed.
    case workersEnded
    /// Nobody is left, or nobody who can be ended.
    case swept
    /// What is left has been written down: processes, zombies, ports.
    case verified
    /// The cleanups have ended.
    case cleaned
  }

  package enum Effect: Sendable, Equatable {
    /// Command every worker to stop; answer with `.workersEnded`.
    case stopWorkers
    /// End what belongs to no worker; answer with `.swept`.
    case sweep
    /// Find out what is left; answer with `.verified`.
    case verify
    /// Run the cleanups; answer with `.cleaned`.
    case clean
    /// Say how it went. The last effect there is.
    case report
  }

  package private(set) var phase = Phase.running

  package init() {}

  package mutating func handle(_ event: Event) -> [Effect] {
    switch (self.phase, event) {
    case (.running, .stop):
      self.phase = .stopping
      return [.stopWorkers]
    case (.stopping, .workersEnded):
      self.phase = .sweeping
      return [.sweep]
    case (.sweeping, .swept):
      return [.verify]
    case (.sweeping, .verified):
      self.phase = .cleaning
      return [.clean]
    case (.cleaning, .cleaned):
      self.phase = .ended
      return [.report]
    // A stop is commanded once; workers end while others run; whatever comes late changes nothing.
    case (.running, _), (.stopping, _), (.sweeping, _), (.cleaning, _), (.ended, _):
      return []
    }
  }
}

/// Decides in which order a master ends; ``ShutdownOrder`` is the one in use.
package protocol ShutdownPolicy: Sendable {
  var phase: ShutdownOrder.Phase { get }

  mutating func handle(_ event: ShutdownOrder.Event) -> [ShutdownOrder.Effect]
}
