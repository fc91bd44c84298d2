internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Finds the file a command's name stands for, the way execvp(3) does, but with
/// an answer to why it was not found.
enum ExecutableSearch {
  static let defaultPath: ByteString = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// The paths to execute, zero-terminated: the first, and those that come after it in PATH, should it
  /// turn out at the exec that it cannot be had. Never none.
  static func paths(for command: Command) throws(ProcessError) -> [[CChar]] {
    switch command.executable.location {
    case .path(let path):
      return [path.withPlatformString { Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) }]
    case .name(let name):
      guard !name.bytes.isEmpty else {
        throw ProcessError(
          .commandNotFound, doing: "the command is empty", underlyingError: .noSuchFileOrDirectory)
      }
      if name.bytes.contains(UInt8(ascii: "/")) { return [name.zeroTerminated] }
      return try self.search(name, in: command.environment.value(of: "PATH") ?? self.defaultPath)
    }
  }

  private static func search(
    _ name: ByteString, in path: ByteString
  ) throws(ProcessError) -> [[CChar]] {
    var found: [[CChar]] = []
    var denied = false
    for directory in path.bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      // An empty entry is the working directory.
      let prefix = directory.isEmpty ? [UInt8(ascii: ".")] : Array(directory)
      let candidate = ByteString(bytes: prefix + [UInt8(ascii: "/")] + name.bytes).zeroTerminated
      var status = stat()
      guard stat(candidate, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      if access(candidate, X_OK) == 0 { found.append(candidate) } else { denied = true }
    }
    guard found.isEmpty else { return found }
    if denied {
      throw ProcessError(
        .commandNotExecutable, doing: "execute \(name.printable)", underlyingError: .permissionDenied)
    }
    throw ProcessError(
      .commandNotFound, doing: "find \(name.printable) in PATH", underlyingError: .noSuchFileOrDirectory)
  }

  /// Whether the search goes on after such a failure of the exec, as execvp(3) does. It may be the rights of
  /// the child that are wanting, which are not ours, or those to the interpreter of a script.
  static func goesOn(after error: ProcessError) -> Bool {
    guard error.code == .commandNotFound || error.code == .commandNotExecutable else { return false }
    switch error.underlyingError {
    case .permissionDenied, .noSuchFileOrDirectory, .notDirectory, .staleNFSFileHandle,
      .operationNotSupportedByDevice, .timedOut:
      return true
    default: return false
    }
  }
}

extension Command {
  /// Why its program cannot be executed as things stand; nil if it can be found.
  /// A path relative to another working directory is not looked at.
  package func obstacle() -> ProcessError? {
    do throws(ProcessError) {
      let path = try ExecutableSearch.paths(for: self).first ?? []
      guard path.first == CChar(bitPattern: UInt8(ascii: "/")), access(path, X_OK) != 0 else { return nil }
      return ProcessError(
        .commandNotExecutable, doing: "execute \(self.executable)", underlyingError: Errno(rawValue: errno))
    } catch {
      return error
    }
  }
}

extension ByteString {
  var zeroTerminated: [CChar] { self.bytes.map { CChar(bitPattern: $0) } + [0] }
}
