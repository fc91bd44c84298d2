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
  /// How many clients are connected while it is being stopped, as far as is known.
  var clients: Int { get }
  /// Whether what it decides may depend on who is connected.
  var watchesClients: Bool { get }
  /// How many clients had to be disconnected by force in its last stop.
  var clientsForced: Int { get }

  mutating func handle(_ event: WorkerLife.Event, at now: MonotonicInstant) -> [WorkerLife.Effect]
}

extension WorkerLife: WorkerPolicy {}

/// Makes the policy of a worker when the master is made.
///
/// - Parameters:
///   - timeouts: How long its port may take to become free after the end, and its clients to leave.
///   - seed: For the jitter of the restart delays.
package typealias WorkerPolicyMaker = (
  _ definition: WorkerDefinition, _ timeouts: ShutdownTimeouts, _ seed: UInt64
) -> any WorkerPolicy
