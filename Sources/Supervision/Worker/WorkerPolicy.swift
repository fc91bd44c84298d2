package import ProcCtl

/// Decides about one worker: an event and the time in, effects out.
///
/// ``WorkerLife`` is the one in use. The master holds it through this protocol so
/// that the simulation can put a broken one in its place and see whether its rules notice.
package protocol WorkerPolicy: Sendable {
  var state: WorkerState { get }
  var force: StopForce { get }
  var lastStatus: TerminationStatus? { get }
  var starts: Int { get }
  var trouble: String? { get }

  mutating func handle(_ event: WorkerLife.Event, at now: MonotonicInstant) -> [WorkerLife.Effect]
}

extension WorkerLife: WorkerPolicy {}

/// Makes the policy of a worker when the master is made.
///
/// - Parameters:
///   - portTimeout: How long the port may take to become free after the end.
///   - seed: For the jitter of the restart delays.
package typealias WorkerPolicyMaker = (
  _ definition: WorkerDefinition, _ portTimeout: Duration, _ seed: UInt64
) -> any WorkerPolicy
