import Glibc

/// What a careless reaper does: waits for any child, whoever's it is.
enum Thief {
  static func start() {
    Thread {
      while true {
        var information = siginfo_t()
        // ECHILD: nobody there just now; there is nothing to wait on for the first child.
        if waitid(P_ALL, 0, &information, WEXITED) != 0 { _ = poll(nil, 0, 1) }
      }
    }.start()
  }
}
