internal import CProcCtl
internal import CProcCtlChild
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// Takes the workers along if this process dies of a fault of its own: of a trap, of memory it may not
/// touch. Without it those in cgroups and sessions would go on alone until the next start finds them.
///
/// By a signal handler that only kills what it was told beforehand, and then lets the signal do what it
/// would have done (signal-safety(7)). Guards see for themselves that we are gone, and end their
/// workers less abruptly. One per process; confined to the loop's thread.
final class LastResort {
  private let cgroupKill: Int32

  /// - Parameters:
  ///   - workers: How many there are, each with a number below that.
  ///   - cgroup: The one that holds those of the workers.
  init(workers: Int, cgroup: FilePath?) {
    self.cgroupKill =
      cgroup.map { cprocctl_open($0.appending("cgroup.kill").string, O_WRONLY | O_CLOEXEC, 0) } ?? -1
    // Without memory for it there is no last resort, and everything else may still go well.
    _ = procctl_fault_prepare(workers, self.cgroupKill)
  }

  /// The worker's first process, our child, leads a process group.
  func began(worker: Int, group: ProcessIdentifier) { procctl_fault_group(worker, group.value) }

  /// To be called before that process is reaped: afterwards its number may be another's.
  func over(worker: Int) { procctl_fault_group(worker, 0) }

  /// From now on a fault takes nobody along.
  func end() {
    procctl_fault_forget()
    if self.cgroupKill >= 0 { close(self.cgroupKill) }
  }
}
