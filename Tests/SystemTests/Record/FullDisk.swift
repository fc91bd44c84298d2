import Glibc
import Testing

extension TestSession {
  /// From now on no file takes a further byte of this process: for one process, a limit is what a full disk is
  /// for all (setrlimit(2), RLIMIT_FSIZE).
  func fillDisk(of pid: pid_t) async throws {
    let limited = try await self.start(
      Launch("/usr/bin/prlimit", ["--pid", "\(pid)", "--fsize=1:1"])
    ).end()
    try #require(limited.ending == .exited(0), "\(limited.errors)")
  }
}
