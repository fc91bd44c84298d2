internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Why execve(2) refused a program, in words that name what has to be mended.
enum ExecutionFailure {
  /// - Parameter path: What was to be executed, zero-terminated: what a name was found as in PATH.
  static func error(_ error: Errno, of command: Command, at path: [CChar]) -> ProcessError {
    let isMissing = error == .noSuchFileOrDirectory || error == .notDirectory
    let file = ByteString(bytes: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    var doing = "execute \(file.printable)"
    // Found and looked into with our rights, refused with those of the child.
    if error == .permissionDenied, let user = command.setup.credentials?.user, user != geteuid() {
      doing += " as user \(user)"
    }
    // A relative path may mean another file from here than from the child's directory.
    let isHere = command.directory == nil || path.first == CChar(bitPattern: UInt8(ascii: "/"))
    if error == .noSuchFileOrDirectory, isHere, access(path, F_OK) == 0 {
      let interpreter = self.interpreter(of: path).map { " \($0.printable)" } ?? ""
      doing += ", whose interpreter\(interpreter) is not there"
    }
    return ProcessError(
      isMissing ? .commandNotFound : .commandNotExecutable, doing: doing, underlyingError: error)
  }

  /// What a script names in its first line; nil for what is no script, or cannot be read.
  private static func interpreter(of path: [CChar]) -> ByteString? {
    let descriptor = cprocctl_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    // As much as the kernel looks at (execve(2), "Interpreter scripts").
    var line = [UInt8](repeating: 0, count: 255)
    let count = line.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    line = Array(line.prefix(max(count, 0)))
    guard line.starts(with: "#!".utf8) else { return nil }
    let blanks = " \t".utf8
    let name = line.dropFirst(2).drop { blanks.contains($0) }.prefix { $0 != 0x0A && !blanks.contains($0) }
    return name.isEmpty ? nil : ByteString(bytes: Array(name))
  }
}
