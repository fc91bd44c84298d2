internal import CProcCtl
internal import Glibc
package import SystemPackage

/// The controlling terminal, when it is ours to hand to the command: who in the
/// foreground group reads from it, and who gets Ctrl-C and Ctrl-Z
/// (credentials(7), tcsetpgrp(3)).
///
/// SIGTTOU must be blocked: changing the foreground group from the background
/// would stop us otherwise.
package struct Terminal {
  package let descriptor: FileDescriptor
  private let ownGroup: pid_t

  /// Standard input, if it is our controlling terminal and we are in its
  /// foreground; nil otherwise: a job in the background must not grab it.
  package static func inForeground() -> Terminal? {
    let group = getpgrp()
    guard isatty(0) == 1, tcgetpgrp(0) == group else { return nil }
    return Terminal(descriptor: .standardInput, ownGroup: group)
  }

  /// Gives the foreground to the group; fails silently once the terminal has hung up.
  package func giveForeground(to group: ProcessIdentifier) {
    tcsetpgrp(self.descriptor.rawValue, group.value)
  }

  /// Takes the foreground back from the group, if that has it: a shell that runs us in
  /// the background has its terminal back already and must keep it.
  package func takeForegroundBack(from group: ProcessIdentifier) {
    guard tcgetpgrp(self.descriptor.rawValue) == group.value else { return }
    self.takeForegroundBack()
  }

  package func takeForegroundBack() {
    tcsetpgrp(self.descriptor.rawValue, self.ownGroup)
  }

  package var isOurs: Bool {
    tcgetpgrp(self.descriptor.rawValue) == self.ownGroup
  }

  /// Whether the child has stopped since the last call.
  package static func hasStopped(_ child: ProcessIdentifier) -> Bool {
    var information = siginfo_t()
    let result = cprocctl_waitid(
      Int32(CPROCCTL_P_PID), UInt32(child.value), &information, WSTOPPED | WNOHANG)
    return result == 0 && cprocctl_siginfo_pid(&information) == child.value
  }

  /// Stops this process as Ctrl-Z would have, and returns when it is continued.
  /// In an orphaned process group, where nobody could continue us, the kernel
  /// ignores the signal and this returns at once.
  package static func suspendOurselves() {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTSTP)
    raise(SIGTSTP)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }
}
