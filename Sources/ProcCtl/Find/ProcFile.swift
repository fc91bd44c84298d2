internal import CProcCtl
internal import Glibc
package import SystemPackage

/// Reads and writes files under /proc and /sys/fs/cgroup, which the kernel
/// makes as they are read, and whose size is not known beforehand.
package enum ProcFile {
  /// The whole content, up to the limit; nil if it is not there: no such file,
  /// or no such process or cgroup any more.
  ///
  /// What is there and cannot be read is an error, and never the same as "gone":
  /// without a descriptor or memory to read it with, a set of processes is unknown
  /// and not empty.
  package static func read(_ path: String, limit: Int = .max) throws(Errno) -> [UInt8]? {
    let descriptor = cprocctl_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      let error = Errno(rawValue: errno)
      if error.meansGone { return nil }
      throw error
    }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var size = 4096
    while content.count < limit {
      let start = content.count
      let chunk = min(size, limit - start)
      var failure: Errno?
      let tail = [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
        var got: Int
        repeat {
          got = Glibc.read(descriptor, buffer.baseAddress, chunk)
        } while got < 0 && errno == EINTR
        if got < 0 { failure = Errno(rawValue: errno) }
        count = max(got, 0)
      }
      if let failure {
        if failure.meansGone { return nil }
        throw failure
      }
      if tail.isEmpty { break }
      if start == 0 { content = tail } else { content += tail }
      size = min(size * 2, 1 << 20)
    }
    return content
  }

  /// Writes the text in one write(2), as the kernel's control files want it.
  package static func write(_ text: String, to path: String) throws(Errno) {
    let descriptor = cprocctl_open(path, O_WRONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    defer { close(descriptor) }
    var text = text
    var result: Int
    repeat {
      result = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    } while result < 0 && errno == EINTR
    guard result >= 0 else { throw Errno(rawValue: errno) }
  }
}

extension Errno {
  /// ENODEV is what an open file of a removed cgroup reads as.
  var meansGone: Bool {
    self == .noSuchFileOrDirectory || self == .noSuchProcess || self.rawValue == Glibc.ENODEV
  }

  /// Somebody else's process, which is not for us to look at.
  var meansForbidden: Bool { self == .permissionDenied || self == .notPermitted }
}
