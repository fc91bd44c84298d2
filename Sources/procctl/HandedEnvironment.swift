internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// The environment of a guard's command, which comes in a file: see ``GuardChannel``.
enum HandedEnvironment {
  /// - Throws: `ProcessError` with code `.spawn`.
  static func read(_ file: FileDescriptor) throws(ProcessError) -> Environment {
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
