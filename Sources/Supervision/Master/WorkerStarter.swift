package import ProcCtl
internal import SystemPackage

/// Turns a definition into a command with everything a start needs.
package protocol WorkerStarter: AnyObject {
  /// - Parameter start: How often it was started before.
  func command(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker
}

/// A command about to be spawned, and what to let go of afterwards.
package struct PreparedWorker {
  package var command: Command
  package var cgroup: Cgroup?
  /// What the command is, if it is not the worker's own program but a guard around it.
  package var workerGuard: (any WorkerGuard)?
  /// The kernel ends everybody with the process that is spawned.
  package var endsWithLeader = false
  /// Called after the spawn, whether it succeeded or not.
  package var afterSpawn: () -> Void
  /// Called if nothing was spawned.
  package var whenNotSpawned: () -> Void = {}

  package init(command: Command, cgroup: Cgroup? = nil, afterSpawn: @escaping () -> Void = {}) {
    self.command = command
    self.cgroup = cgroup
    self.afterSpawn = afterSpawn
  }
}
