internal import CProcCtl
internal import Glibc
package import SystemPackage

/// Reads files under /proc and /sys/fs/cgroup, whose size is not known beforehand.
package enum ProcFile {
  /// The whole content, up to the limit; nil if it cannot be read, with errno left as it was set.
  package static func read(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
    let descriptor = cprocctl_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    defer {
      let saved = errno
      close(descriptor)
      errno = saved
    }
    var content: [UInt8] = []
    var size = 4096
    while content.count < limit {
      let start = content.count
      let chunk = min(size, limit - start)
      var failed = false
      let tail = [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
        var got: Int
        repeat {
          got = Glibc.read(descriptor, buffer.baseAddress, chunk)
        } while got < 0 && errno == EINTR
        failed = got < 0
        count = max(got, 0)
      }
      if failed { return nil }
      if tail.isEmpty { break }
      if start == 0 { content = tail } else { content += tail }
      size *= 2
    }
    return content
  }

  /// Writes the text in one write(2), as the kernel's control files want it.
  package static func write(_ text: String, to path: String) throws(Errno) {
    let descriptor = cprocctl_open(path, O_WRONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    defer { close(descriptor) }
    var text = text
    let result = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard result >= 0 else { throw Errno(rawValue: errno) }
  }

  /// The names in a directory that are numbers, unsorted; empty if it cannot be read.
  package static func numericNames(in path: String) -> [Int32] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var numbers: [Int32] = []
    while let entry = readdir(directory) {
      let number = withUnsafeBytes(of: &entry.pointee.d_name) { name in
        Int32(decimal: name.prefix { $0 != 0 })
      }
      if let number { numbers.append(number) }
    }
    return numbers
  }
}
