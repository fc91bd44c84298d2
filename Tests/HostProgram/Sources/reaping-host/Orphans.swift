import CHost
import Foundation
import Glibc

/// A process whose parent has exited, so that it came to us.
struct Orphan: Sendable {
  var pid: pid_t
  private let pidfd: Int32

  init?(pid: pid_t) {
    self.pid = pid
    self.pidfd = chost_pidfd_open(pid)
    if self.pidfd < 0 { return nil }
  }

  /// State and parent by /proc/PID/stat.
  var stat: (state: Substring, parent: pid_t)? {
    guard let text = try? String(contentsOfFile: "/proc/\(self.pid)/stat", encoding: .utf8) else {
      return nil
    }
    let fields = (text.split(separator: ")").last ?? "").split(separator: " ")
    guard fields.count > 1, let parent = pid_t(fields[1]) else { return nil }
    return (fields[0], parent)
  }

  var state: String { self.stat.map { "in state \($0.state)" } ?? "gone" }

  /// Waits until it has ended and somebody has reaped it; false if that is not in time.
  func isReaped(by deadline: Int64) -> Bool {
    // Its end is an event; its reaping is one only since Linux 6.9, so look as well.
    while chost_exists(self.pidfd) != 0 {
      let left = deadline - Self.now()
      if left <= 0 { return false }
      var watch = pollfd(fd: self.pidfd, events: 0, revents: 0)
      _ = poll(&watch, 1, Int32(min(left, 50)))
    }
    return true
  }

  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}

/// Makes orphans that end a little later.
enum OrphanMaker {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// The child tells the pid of its own child and exits, while that lives on for a second.
  static func make() async -> Result<Orphan, Failure> {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "sleep 1 >/dev/null 2>&1 & echo $!"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    let ended: String? = await withCheckedContinuation { continuation in
      process.terminationHandler = { _ in continuation.resume(returning: nil) }
      do {
        try process.run()
      } catch {
        continuation.resume(returning: "\(error)")
      }
    }
    if let ended { return .failure(Failure(description: ended)) }
    let text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)), let orphan = Orphan(pid: pid)
    else {
      return .failure(Failure(description: "no pid in \"\(text)\""))
    }
    // The parent has ended, so it has come to us.
    guard let stat = orphan.stat, stat.parent == getpid() else {
      return .failure(Failure(description: "pid \(pid) was not adopted: \(orphan.state)"))
    }
    return .success(orphan)
  }
}
