internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// How workers are kept together on this machine: what each asked for, checked
/// against what the machine can do, before anything is started.
struct ContainmentPlan {
  /// The cgroup that holds one per worker; nil if no worker uses one.
  let parent: FilePath?
  /// Why there are no cgroups; nil if there are.
  let obstacle: ProcessError?

  /// - Throws: `ProcessError` with code `.contain` if a worker asks for what cannot be had.
  init(for definitions: [WorkerDefinition]) throws(ProcessError) {
    guard definitions.contains(where: { $0.contain != .session }) else {
      self.parent = nil
      self.obstacle = nil
      return
    }
    do throws(ProcessError) {
      let own = try CgroupHierarchy.current().own
      if let obstacle = Cgroup.obstacle(under: own) { throw obstacle }
      let parent = own.appending("procctl-\(getpid())")
      guard mkdir(parent.string, 0o755) == 0 || errno == EEXIST else {
        throw ProcessError(.contain, doing: "make cgroup \(parent)", underlyingError: Errno(rawValue: errno))
      }
      self.parent = parent
      self.obstacle = nil
    } catch {
      if let worker = definitions.first(where: { $0.contain == .cgroup }) {
        throw ProcessError(
          .contain, doing: "contain \(worker.name) in a cgroup: \(error.operation)",
          underlyingError: error.underlyingError)
      }
      self.parent = nil
      self.obstacle = error
    }
  }

  /// Whether this worker gets a cgroup.
  func usesCgroup(_ definition: WorkerDefinition) -> Bool {
    self.parent != nil && definition.contain != .session
  }

  /// Removes the cgroup that held the workers' ones. Returns why it is left, if it is.
  func remove() -> ProcessError? {
    // Once more: somebody may have been on his way out.
    guard let parent = self.parent, rmdir(parent.string) != 0, rmdir(parent.string) != 0, errno != ENOENT
    else { return nil }
    return ProcessError(.contain, doing: "remove cgroup \(parent)", underlyingError: Errno(rawValue: errno))
  }
}
