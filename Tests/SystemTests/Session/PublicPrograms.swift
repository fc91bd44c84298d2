import Glibc

/// Copies of programs that anybody can run: the build directory may lie where only root gets to.
extension TestSession {
  func publicWorkload() throws -> String { try self.publicCopy(of: Programs.workload) }

  func publicCopy(of path: String) throws -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? "program"
    let copy = self.path(name)
    guard let content = ProcTable.bytes(path, limit: 1 << 30) else {
      throw WaitError("read \(path): \(errno)")
    }
    let descriptor = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
    guard descriptor >= 0 else { throw WaitError("open \(copy): \(errno)") }
    defer { close(descriptor) }
    var rest = content[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw WaitError("write \(copy): \(errno)") }
      rest = rest.dropFirst(count)
    }
    return copy
  }
}
