import ProcCtl
import Supervision

extension Master {
  /// A master of the workers the text of a configuration names, with nothing of this machine.
  convenience init(
    of configuration: String, timeouts: ShutdownTimeouts = ShutdownTimeouts(), kernel: any Kernel,
    time: any Scheduler, surroundings: SilentSurroundings
  ) throws {
    self.init(
      definitions: try parse(configuration).workers, timeouts: timeouts, kernel: kernel, scheduler: time,
      network: surroundings, starter: surroundings, cleanups: surroundings, seed: 1)
  }
}
