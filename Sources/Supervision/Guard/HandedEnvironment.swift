internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// The environment of a guard's command: `NAME=VALUE` strings, each ended by a zero byte, in a file without
/// a name (memfd_create(2)).
///
/// In a file, because a guard has our rights: in its own environment these strings could make it load
/// somebody's code (ld.so(8)), and on its command line everybody could read them.
package enum HandedEnvironment {
  /// Writes it for a guard. The descriptor is the caller's to close.
  ///
  /// - Throws: `ProcessError` with code `.contain`.
  static func write(_ environment: Environment) throws(ProcessError) -> FileDescriptor {
    let number = cprocctl_memory_file("procctl-environment")
    guard number >= 0 else {
      throw ProcessError(
        .contain, doing: "make a file for a guard's environment", underlyingError: Errno(rawValue: errno))
    }
    let file = FileDescriptor(rawValue: number)
    do {
      try file.writeAll(environment.entries().map { $0.bytes + [0] }.joined())
    } catch {
      close(number)
      throw ProcessError(
        .contain, doing: "write a guard's environment", underlyingError: error as? Errno)
    }
    return file
  }

  /// Reads it in the guard, all of it wherever the file's position is.
  ///
  /// - Throws: `ProcessError` with code `.spawn`.
  package static func read(_ file: FileDescriptor) throws(ProcessError) -> Environment {
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = pread(file.rawValue, &buffer, buffer.count, off_t(content.count))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw ProcessError(
          .spawn, doing: "read the command's environment", underlyingError: Errno(rawValue: errno))
      }
      if count == 0 { break }
      content += buffer[..<count]
    }
    var environment = Environment(entries: content.split(separator: 0).map { ByteString(bytes: $0) })
    // The mark by which a master knows its worker's processes is on us.
    if let cookie = getenv(attributionCookieName) {
      environment = environment.setting(ByteString(attributionCookieName), to: ByteString(cString: cookie))
    }
    return environment
  }
}
