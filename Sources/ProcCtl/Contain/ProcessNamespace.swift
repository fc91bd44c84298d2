internal import CProcCtl
internal import CProcCtlChild
internal import Glibc
internal import SystemPackage

/// A pid namespace (pid_namespaces(7)) with a /proc of its own: when its first
/// process ends, the kernel kills everybody else in it. Cases may be added.
public enum ProcessNamespace: Sendable, Hashable, CaseIterable {
  /// Made with the right to do so (CAP_SYS_ADMIN).
  case privileged
  /// Inside a new user namespace (user_namespaces(7)), which needs no rights. Our
  /// user and group are the only ones there are in it.
  case unprivileged

  /// The first of these that this machine and our rights allow, with rights if we have them.
  ///
  /// - Throws: `ProcessError` with code `.contain` saying why there is none.
  package static func available() throws(ProcessError) -> ProcessNamespace {
    var obstacle = ProcessError(.contain, doing: "make a pid namespace")
    for kind in ProcessNamespace.allCases {
      do throws(ProcessError) {
        try kind.attempt()
        return kind
      } catch {
        // What fails without rights says more than that the rights are missing.
        obstacle = error
      }
    }
    throw obstacle
  }

  /// Makes one with a process that ends at once: nothing short of trying tells
  /// whether it is allowed.
  package func attempt() throws(ProcessError) {
    var setup = procctl_child_setup()
    setup.foreground_terminal = -1
    setup.cgroup_procs = -1
    self.apply(to: &setup)
    var result = procctl_child_result()
    guard procctl_child_spawn(&setup, &result) == 0 else {
      let error = Errno(rawValue: result.error)
      var command = Command(.path("/"))
      command.setup.processNamespace = self
      throw ProcessError(
        .contain, doing: SpawnStage.description(result.stage, of: command), underlyingError: error)
    }
    close(result.pidfd)
    var status: Int32 = 0
    while waitpid(result.pid, &status, 0) < 0 && errno == EINTR {}
  }

  func apply(to setup: inout procctl_child_setup) {
    switch self {
    case .privileged: setup.process_namespace = Int32(PROCCTL_NAMESPACE_PID.rawValue)
    case .unprivileged: setup.process_namespace = Int32(PROCCTL_NAMESPACE_PID_IN_USER.rawValue)
    }
    setup.namespace_user = geteuid()
    setup.namespace_group = getegid()
  }
}
