/// What each call can fail with on a machine that is short of something, or
/// whose administrator forbids something, by its manual page.
enum FaultCatalogue {
  static let effects: [String: [String]] = [
    "accept4": ["EMFILE"],
    "access": ["EIO", "ENOMEM"],
    "bind": ["EACCES", "ENOMEM"],
    "capset": ["EPERM"],
    "chdir": ["EIO", "ENOMEM", "EACCES"],
    "chmod": ["EPERM", "EIO"],
    "clone": ["EAGAIN", "ENOMEM", "EPERM"],
    "close": ["EIO", "EINTR"],
    "close_range": ["ENOMEM"],
    "connect": ["EAGAIN", "ENOMEM"],
    "dup2": ["EMFILE", "EBUSY"],
    "epoll_create1": ["EMFILE", "ENOMEM"],
    "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_wait": ["EINTR"],
    "eventfd": ["EMFILE", "ENODEV"],
    "execve": ["EACCES", "ENOENT", "ENOMEM", "ETXTBSY", "EAGAIN"],
    "fcntl": ["EMFILE"],
    "flock": ["EINTR", "ENOMEM"],
    "fstat": ["ENOMEM", "EIO"],
    "ftruncate": ["EIO"],
    "getdents64": ["EIO", "ENOMEM"],
    "getsockname": ["ENOBUFS"],
    "getsockopt": ["ENOMEM"],
    "ioctl": ["EIO"],
    "kill": ["EPERM", "ESRCH"],
    "listen": ["EADDRINUSE"],
    "lstat": ["EIO", "ENOMEM"],
    "mkdir": ["ENOSPC", "EPERM", "EROFS"],
    "mmap": ["ENOMEM"],
    "open": ["EMFILE", "ENOMEM", "EIO", "EACCES"],
    "openat": ["EMFILE", "EIO"],
    "opendir": ["EMFILE", "ENOMEM", "EACCES"],
    "pidfd_open": ["EMFILE", "ENOSYS", "ENOMEM"],
    "pidfd_send_signal": ["EPERM"],
    "pipe2": ["EMFILE"],
    "posix_spawn": ["EAGAIN", "ENOMEM", "EACCES"],
    "prctl": ["EPERM", "EINVAL"],
    "read": ["EIO", "EINTR", "ENOMEM", "short"],
    "readdir": ["EIO", "ENOMEM"],
    "readlink": ["EACCES", "ENOMEM"],
    "readlinkat": ["ENOMEM", "EACCES"],
    "recv": ["ENOMEM"],
    "recvfrom": ["EINTR", "ENOMEM", "ENOBUFS"],
    "recvmsg": ["EINTR", "ENOMEM"],
    "rmdir": ["EBUSY", "EIO"],
    "rt_sigaction": ["EINVAL"],
    "send": ["ENOBUFS", "EINTR"],
    "sendmsg": ["ENOBUFS", "EAGAIN"],
    "setgroups": ["EPERM", "ENOMEM"],
    "setpgid": ["EPERM"],
    "setpriority": ["EACCES"],
    "setresgid": ["EPERM"],
    "setresuid": ["EPERM", "EAGAIN"],
    "setrlimit": ["EPERM"],
    "setsid": ["EPERM"],
    "setsockopt": ["ENOMEM"],
    "signalfd": ["EMFILE", "ENOMEM"],
    "sigprocmask": ["EINVAL"],
    "socket": ["EMFILE", "ENOBUFS", "EACCES"],
    "stat": ["EIO", "ENOMEM"],
    "timerfd_create": ["EMFILE", "ENOMEM"],
    "timerfd_settime": ["ENOMEM"],
    "unlink": ["EIO", "EBUSY"],
    "waitid": ["EINTR"],
    "waitpid": ["EINTR"],
    "write": ["EIO", "ENOSPC", "EAGAIN", "EINTR", "short"],
  ]

  static let calls = effects.keys.sorted()

  /// The faults to try for a call that a run makes `count` times: every place and every
  /// effect, or the first and the last place. The effects are dealt out to the suites, which give
  /// different turns, so that together they try all.
  static func faults(of call: String, count: Int, all: Bool, turn: Int, sampled: Int = 2) -> [Fault] {
    let effects = self.effects[call] ?? []
    guard count > 0, !effects.isEmpty else { return [] }
    if all {
      return (1...count).flatMap { index in effects.map { Fault(call, .nth(index), $0) } }
    }
    return self.places(among: count, at: sampled).enumerated().map { number, place in
      Fault(call, .nth(place), effects[(turn * sampled + number) % effects.count])
    }
  }

  /// The same for one that fails whenever it is tried. What would make the caller try
  /// again for ever is nothing a kernel does.
  static func lasting(of call: String, all: Bool) -> [Fault] {
    let effects = (self.effects[call] ?? []).filter { $0 != "EINTR" && $0 != "short" }
    return (all ? effects[...] : effects.prefix(1)).map { Fault(call, .from(1), $0) }
  }

  /// The first, the last, and evenly between.
  private static func places(among count: Int, at most: Int) -> [Int] {
    if count <= most { return Array(1...count) }
    return (0..<most).map { 1 + $0 * (count - 1) / (most - 1) }
  }
}
