internal import ProcCtl

/// Where a worker is in its life.
package enum WorkerState: Sendable, Equatable, CaseIterable {
  /// Not started yet.
  case waiting
  /// Its program runs and has not said it is ready.
  case starting
  case ready
  /// Its processes are being ended.
  case stopping
  /// Its processes are gone; its port is being proven free.
  case verifying
  /// It will be started again when the delay is over.
  case backoff
  /// Its port belongs to somebody else, or it cannot be executed; tried again, ever more rarely.
  case blocked
  /// Ended and not to be started again.
  case stopped
  /// Its processes or its port could not be got rid of. It is not started again.
  case failed

  /// Whether nothing is going to happen to it by itself.
  package var isFinal: Bool { self == .stopped || self == .failed }

  /// Whether what it was commanded to do has come out, one way or the other.
  package var isSettled: Bool { self.isFinal || [.ready, .backoff, .blocked].contains(self) }
}
