import CProcCtl
import Glibc

/// A pseudo-terminal (pty(7)): the test sits at the keyboard.
final class TestTerminal: Sendable {
  /// The side of the programs.
  let path: String
  let screen: Capture
  private let descriptor: Int32

  /// TIOCSPTLCK and TIOCGPTN (ioctl_tty(2)): macros that Swift does not see.
  private static let setLock: UInt = 0x4004_5431
  private static let getNumber: UInt = 0x8004_5430

  init() throws {
    let master = cprocctl_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
    var unlocked: Int32 = 0
    var number: Int32 = 0
    guard master >= 0, cprocctl_ioctl_int(master, Self.setLock, &unlocked) == 0,
      cprocctl_ioctl_int(master, Self.getNumber, &number) == 0
    else { throw WaitError("pty: \(errno)") }
    self.path = "/dev/pts/\(number)"
    self.descriptor = master
    self.screen = Capture(master)
  }

  func type(_ text: String) {
    var text = text
    _ = text.withUTF8 { write(self.descriptor, $0.baseAddress, $0.count) }
  }

  /// Who gets what is typed, and Ctrl-C (tcgetpgrp(3)).
  var foregroundGroup: pid_t { tcgetpgrp(self.descriptor) }
}
