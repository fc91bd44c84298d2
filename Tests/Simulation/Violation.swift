internal import ProcCtl

/// A promise of the engine that a run may break.
package enum Rule: String, Sendable, CaseIterable {
  case stoppedMeansEmpty = "a worker is stopped only when nobody of it is left and its port is free"
  case failedMeansUnkillable = "a worker fails only over what cannot be ended or freed"
  case stopIsKept = "a worker commanded to stop does not start again by itself"
  case endsAreNoticed = "a worker whose program has ended is not taken for running"
  case noStartAfterStop = "no worker starts after the stop of the master"
  case startsAlone = "a worker does not start beside its former self, nor on a port that is held"
  case noSignalAfterReap = "no signal goes to a number that was given back"
  case noSignalToInnocents = "no signal goes to a worker that is not being ended"
  case signalsAreSeen = "who is stopped is continued, to see the signal"
  case gracesAreKept = "nobody is killed before the time it was given"
  case clientsHaveTheirTime = "no client is disconnected from a worker that is not being ended, nor too early"
  case clientsAreDisconnected = "a client that stays is disconnected when its time is over"
  case deadlinesAreKept = "every step ends within its time"
  case stopIsToldFirst = "the status says that it is stopping before anybody is signalled for it"
  case oneReport = "there is exactly one report"
  case ownIsNotLeft = "what a worker has while it lives is not taken for what it left"
  case reportIsTrue = "the report says what is left, and nothing else"
}

/// A broken rule: which one, when in virtual time, and how.
package struct Violation: Sendable, Equatable, CustomStringConvertible {
  package let rule: Rule
  /// Since the start of the run.
  package let time: Duration
  /// The worker it is about; nil for the master.
  package let worker: Int?
  package let detail: String

  package var description: String {
    "\(Trace.text(self.time)) \(self.detail) (rule: \(self.rule.rawValue))"
  }
}
