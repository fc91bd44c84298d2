internal import CProcCtl
internal import CProcCtlChild
internal import Glibc
internal import SystemPackage

/// What the kernel offers the process core, found out by calling it.
package enum KernelFindings {
  /// Release of the running kernel (uname(2)).
  package static var release: String {
    var name = utsname()
    guard uname(&name) == 0 else { return "unknown" }
    return withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  package static func all() -> [Finding] {
    [
      Finding(.kernel, "Linux", .note, self.release),
      Finding(
        .kernel, "pidfd_open", obstacle: self.pidfdObstacle(), isEssential: true),
      Finding(.kernel, "pidfd_send_signal", obstacle: self.sendObstacle(flags: 0, since: "5.1")),
      Finding(
        .kernel, "pidfd group signal",
        obstacle: self.sendObstacle(flags: UInt32(CPROCCTL_PIDFD_SIGNAL_PROCESS_GROUP), since: "6.9")),
      Finding(.kernel, "pidfd exit status", obstacle: self.exitInformationObstacle()),
      Finding(.kernel, "close_range", obstacle: self.closeRangeObstacle(), isEssential: true),
      Finding(.kernel, "subreaper", obstacle: self.subreaperObstacle(), isEssential: true),
      Finding(.proc, "/proc shows us", obstacle: self.viewObstacle(), isEssential: true),
      Finding(
        .proc, "children lists", obstacle: self.childrenObstacle(), isEssential: true),
      self.hiddenProcesses(),
    ] + self.tracing()
  }

  private static func error(since version: String? = nil) -> String {
    let error = Errno(rawValue: errno)
    let isMissing = error == .noFunction || error == .invalidArgument || error.rawValue == ENOTTY
    guard let version, isMissing else { return "\(error)" }
    return "\(error): Linux \(version) and later have it"
  }

  private static func withOwnPidfd(_ body: (Int32) -> Int32, since version: String) -> String? {
    let descriptor = cprocctl_pidfd_open(getpid(), 0)
    guard descriptor >= 0 else { return self.error(since: "5.3") }
    defer { close(descriptor) }
    return body(descriptor) == 0 ? nil : self.error(since: version)
  }

  private static func pidfdObstacle() -> String? { self.withOwnPidfd({ _ in 0 }, since: "5.3") }

  private static func sendObstacle(flags: UInt32, since version: String) -> String? {
    self.withOwnPidfd(
      { descriptor in
        // Signal 0 is checked and not sent (kill(2)).
        let result = cprocctl_pidfd_send_signal(descriptor, 0, flags)
        // We lead no group, then; the flag is known all the same.
        return result != 0 && errno == ESRCH ? 0 : result
      }, since: version)
  }

  /// Whether the status of a process that somebody else has reaped can still be had.
  private static func exitInformationObstacle() -> String? {
    let child = procctl_trial_child(7)
    guard child > 0 else { return self.error() }
    let descriptor = cprocctl_pidfd_open(child, 0)
    var information = siginfo_t()
    while cprocctl_waitid(Int32(CPROCCTL_P_PID), UInt32(child), &information, WEXITED) != 0, errno == EINTR {}
    guard descriptor >= 0 else { return "no pidfd" }
    defer { close(descriptor) }
    var exit = cprocctl_pidfd_info()
    exit.mask = UInt64(CPROCCTL_PIDFD_INFO_EXIT)
    guard cprocctl_pidfd_get_info(descriptor, &exit) == 0 else { return self.error(since: "6.15") }
    guard exit.mask & UInt64(CPROCCTL_PIDFD_INFO_EXIT) != 0 else { return "Linux 6.15 and later have it" }
    return TerminationStatus(waitStatus: exit.exit_code) == .exited(7)
      ? nil : "the kernel told another status"
  }

  private static func closeRangeObstacle() -> String? {
    let setCloseOnExec: UInt32 = 1 << 2
    // The last number there can be: nobody has it.
    return cprocctl_close_range(.max, .max, setCloseOnExec) == 0 ? nil : self.error(since: "5.11")
  }

  /// Nil if this process can become a subreaper; it is what it was afterwards.
  static func subreaperObstacle() -> String? {
    var before: Int32 = 0
    guard cprocctl_get_child_subreaper(&before) == 0, cprocctl_set_child_subreaper(1) == 0 else {
      return self.error(since: "3.4")
    }
    return cprocctl_set_child_subreaper(before) == 0 ? nil : self.error()
  }

  /// Nil if /proc is mounted and shows this process and its children.
  static func viewObstacle() -> String? {
    do throws(ProcessError) {
      try LinuxKernel().verifyView()
      return nil
    } catch {
      return error.description
    }
  }

  private static func childrenObstacle() -> String? {
    let list = "/proc/self/task/\(getpid())/children"
    let error: Errno
    do throws(Errno) {
      guard try ProcFile.read(list) == nil else { return nil }
      error = .noSuchFileOrDirectory
    } catch let failure {
      error = failure
    }
    let hasProc = access("/proc/self/stat", F_OK) == 0
    return "\(list): \(error)"
      + (hasProc && error == .noSuchFileOrDirectory ? ": a kernel with CONFIG_PROC_CHILDREN has it" : "")
  }

  private static func hiddenProcesses() -> Finding {
    let name = "processes of others"
    let path = "/proc/self/mountinfo"
    let mounts: [UInt8]
    do throws(Errno) {
      mounts = try ProcFile.read(path) ?? []
    } catch {
      return Finding(.proc, name, unreadable: path, error)
    }
    let option = ProcMount.hidePid(mountinfo: String(decoding: mounts, as: UTF8.self))
    guard let option else { return Finding(.proc, name, .yes, "") }
    return Finding(
      .proc, name, .no,
      "/proc is mounted with hidepid=\(option): who has not CAP_SYS_PTRACE sees his own only")
  }

  private static func tracing() -> [Finding] {
    let (name, path) = ("Yama ptrace_scope", "/proc/sys/kernel/yama/ptrace_scope")
    let scope: Int
    do throws(Errno) {
      guard let number = try ProcSetting.number(path) else { return [] }
      scope = number
    } catch {
      return [Finding(.proc, name, unreadable: path, error)]
    }
    return [
      Finding(
        .proc, name, .note,
        "\(scope): not in the way, procctl reads and never attaches; a tracer's zombies stay hidden from us")
    ]
  }
}

/// How /proc is mounted.
package enum ProcMount {
  /// The value of hidepid (proc(5)) where it hides anything; nil if nothing is hidden.
  ///
  /// - Parameter mountinfo: The text of /proc/self/mountinfo.
  package static func hidePid(mountinfo: String) -> String? {
    var value: String?
    for line in mountinfo.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 4, fields[4] == "/proc", let dash = fields.firstIndex(of: "-"),
        dash + 3 < fields.count, fields[dash + 1] == "proc"
      else { continue }
      // What was mounted last is on top.
      let option = fields[dash + 3].split(separator: ",").first { $0.hasPrefix("hidepid=") }
      value = option.map { String($0.dropFirst("hidepid=".count)) }
    }
    return value == "0" || value == "off" ? nil : value
  }
}
