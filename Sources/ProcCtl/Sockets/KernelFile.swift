internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Reads a file that the kernel writes as it is read, and that has no size.
enum KernelFile {
  /// - Parameter limit: How many bytes to read at most; the rest is left out.
  /// - Returns: The bytes, or nil if there is no such file, or no such process any more.
  static func read(_ path: String, limit: Int = .max) throws(Errno) -> [UInt8]? {
    let descriptor = cprocctl_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ESRCH { return nil }
      throw Errno(rawValue: errno)
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(limit, 32 * 1024))
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &chunk, min(chunk.count, limit - bytes.count))
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        if errno == ESRCH { return nil }
        throw Errno(rawValue: errno)
      }
      bytes += chunk.prefix(count)
    }
    return bytes
  }
}
