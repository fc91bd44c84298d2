internal import CProcCtl
internal import CProcCtlChild
internal import Glibc
internal import SystemPackage

/// What the rights of this process reach, tried by a child where it would change us.
package enum RightsFindings {
  private static let nobody: Int32 = 65534

  package static func all(_ containment: ContainmentFacts) -> [Finding] {
    let held = (try? HeldCapabilities.current()) ?? HeldCapabilities()
    return [
      Finding(
        .namespaces, "pid namespaces", obstacle: containment.pidNamespaceObstacle, otherwise: "by our rights"),
      Finding(
        .namespaces, "by user namespaces", obstacle: containment.userNamespaceObstacle,
        otherwise: "without rights, in a user namespace of our own"),
      Finding(.rights, "user", .note, "\(geteuid()), with \(self.text(held))"),
      self.signals(held),
      self.users(),
      self.ambient(held),
    ]
  }

  /// Whichever is shorter: those we have, or those we lack.
  private static func text(_ held: HeldCapabilities) -> String {
    let lacking = held.known.subtracting(held.effective)
    if held.effective.isEmpty { return "no capability" }
    if lacking.isEmpty { return "all capabilities" }
    return lacking.names.count < held.effective.names.count
      ? "all capabilities but \(lacking)" : "the capabilities \(held.effective)"
  }

  /// Signal 0 to somebody else's process says whether another one would arrive (kill(2)).
  private static func signals(_ held: HeldCapabilities) -> Finding {
    let name = "signals to other users"
    let mine = geteuid()
    let processes: [Int32]
    do throws(Errno) {
      processes = try ProcDirectory.numericNames(in: "/proc")
    } catch {
      return Finding(.rights, name, unreadable: "/proc", error)
    }
    for pid in processes {
      var status = stat()
      guard stat("/proc/\(pid)", &status) == 0, status.st_uid != mine else { continue }
      if kill(pid, 0) == 0 { return Finding(.rights, name, .yes) }
      if errno == EPERM { return Finding(.rights, name, .no, "needs CAP_KILL") }
    }
    return held.effective.contains(.kill)
      ? Finding(.rights, name, .yes, "CAP_KILL; there is no process of another user to try it on")
      : Finding(.rights, name, .no, "needs CAP_KILL; there is no process of another user to try it on")
  }

  private static func users() -> Finding {
    let name = "changing users"
    let result = procctl_try(PROCCTL_TRIAL_CHANGE_USER, self.nobody)
    let error = Errno(rawValue: result.error)
    let right: String
    switch procctl_trial_stage(rawValue: UInt32(result.stage)) {
    case PROCCTL_TRIAL_DONE: return Finding(.rights, name, .yes)
    case PROCCTL_TRIAL_GROUPS, PROCCTL_TRIAL_GROUP: right = "CAP_SETGID"
    case PROCCTL_TRIAL_USER: right = "CAP_SETUID"
    default: return Finding(.rights, name, .no, "\(error)")
    }
    if error == .invalidArgument {
      return Finding(.rights, name, .no, "this user namespace has no user \(self.nobody)")
    }
    return Finding(.rights, name, .no, "\(error): needs \(right)")
  }

  private static func ambient(_ held: HeldCapabilities) -> Finding {
    let name = "giving capabilities"
    guard !held.permitted.isEmpty else { return Finding(.rights, name, .no, "we have none to give") }
    let first = Int32(held.permitted.bits.trailingZeroBitCount)
    let result = procctl_try(PROCCTL_TRIAL_AMBIENT, first)
    guard result.stage == Int32(PROCCTL_TRIAL_DONE.rawValue) else {
      return Finding(.rights, name, .no, "raising an ambient one: \(Errno(rawValue: result.error))")
    }
    guard held.effective.contains(.setCapabilities) else {
      return Finding(.rights, name, .no, "to take the others from the bounding set needs CAP_SETPCAP")
    }
    return Finding(.rights, name, .yes)
  }
}
