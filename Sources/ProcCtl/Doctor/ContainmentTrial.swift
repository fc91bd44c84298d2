internal import CProcCtlChild
internal import Glibc
internal import SystemPackage

extension ContainmentFacts {
  /// Finds out by trying: makes a cgroup and removes it, and has a child make the namespaces and end.
  /// Blocks for a few milliseconds; nothing stays.
  package static func current() -> ContainmentFacts {
    var facts = ContainmentFacts()
    do throws(ProcessError) {
      if let obstacle = Cgroup.obstacle(under: try CgroupHierarchy.current().own) { throw obstacle }
    } catch {
      facts.cgroupObstacle = error.description
    }
    facts.subreaperObstacle = KernelFindings.viewObstacle() ?? KernelFindings.subreaperObstacle()
    facts.pidNamespaceObstacle = NamespaceTrial.obstacle(inUserNamespace: false)
    facts.userNamespaceObstacle = NamespaceTrial.obstacle(inUserNamespace: true)
    return facts
  }
}

/// Whether a child can get a pid namespace.
enum NamespaceTrial {
  static func obstacle(inUserNamespace: Bool) -> String? {
    let trial = inUserNamespace ? PROCCTL_TRIAL_USER_AND_PID_NAMESPACE : PROCCTL_TRIAL_PID_NAMESPACE
    let result = procctl_try(trial, 0)
    let error = Errno(rawValue: result.error)
    switch procctl_trial_stage(rawValue: UInt32(result.stage)) {
    case PROCCTL_TRIAL_DONE: return nil
    case PROCCTL_TRIAL_CHILD:
      let why = inUserNamespace ? self.reason(error) : error == .notPermitted ? "needs CAP_SYS_ADMIN" : nil
      return why.map { "\(error): \($0)" } ?? "\(error)"
    case PROCCTL_TRIAL_MAP:
      let isRoot = geteuid() == 0 && error == .notPermitted
      return "mapping our user into it: \(error)" + (isRoot ? ": root needs CAP_SETFCAP for it" : "")
    case PROCCTL_TRIAL_MOUNT: return "mounting a /proc in it: \(error)" + self.maskedProc(error)
    default: return "the child that tried did not say"
    }
  }

  private static func maskedProc(_ error: Errno) -> String {
    error == .notPermitted || error == .permissionDenied
      ? " (parts of /proc are hidden by other mounts here, or a security module forbids it)" : ""
  }

  /// What the settings of the machine say about it (user_namespaces(7)).
  private static func reason(_ error: Errno) -> String? {
    // By the way only: what cannot be read is not said.
    func number(_ path: String) -> Int? { (try? ProcSetting.number(path)) ?? nil }
    let limit = number("/proc/sys/user/max_user_namespaces")
    if limit == 0 { return "user.max_user_namespaces is 0" }
    if number("/proc/sys/kernel/unprivileged_userns_clone") == 0 {
      return "kernel.unprivileged_userns_clone is 0"
    }
    if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1 {
      return "kernel.apparmor_restrict_unprivileged_userns is 1"
    }
    switch error {
    case .noSpace: return limit.map { "user.max_user_namespaces is \($0), and they are in use" }
    case .notPermitted: return "a seccomp filter, a security module or a chroot forbids it"
    case .invalidArgument: return "this kernel has no user namespaces"
    default: return nil
    }
  }
}

/// A setting that is one number in a file.
enum ProcSetting {
  /// Nil if there is no such file, or no number in it.
  static func number(_ path: String) throws(Errno) -> Int? {
    try ProcFile.read(path, limit: 64).flatMap { bytes in
      Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
  }
}
