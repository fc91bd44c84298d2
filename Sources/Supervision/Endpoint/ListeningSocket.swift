internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// A socket that listens, at an address of the configuration's. Non-blocking and close-on-exec.
package struct ListeningSocket {
  package let address: SocketAddress
  package let descriptor: FileDescriptor
  /// Of the socket's file, for it must be ours when it is removed.
  private let file: (device: UInt64, inode: UInt64)?

  /// Listens.
  ///
  /// What a dead process left at a Unix socket's path is removed: nobody answers there. A living one, or
  /// a file that is no socket, is in the way.
  ///
  /// - Parameters:
  ///   - mode: The rights of a Unix socket's file.
  ///   - owner: Whose file it shall be; nil for ours.
  /// - Throws: `ProcessError` with code `.sockets`, naming who is in the way.
  package static func open(
    _ address: SocketAddress, mode: UInt32, owner: (user: UInt32, group: UInt32)? = nil
  ) throws(ProcessError) -> ListeningSocket {
    guard case .unix(let path) = address else {
      return ListeningSocket(
        address: address, descriptor: try Self.listen(at: address), file: nil)
    }
    // Two that start at the same time must not take each other's for left over.
    let lock = Self.lockDirectory(of: path)
    defer { if let lock { close(lock) } }
    try Self.removeLeftover(path)
    // Never, not even for a moment, more rights than it shall have.
    let mask = umask(mode_t(0o777 & ~mode))
    defer { umask(mask) }
    let descriptor = try Self.listen(at: address)
    if let owner { lchown(path, owner.user, owner.group) }
    var status = stat()
    let file = lstat(path, &status) == 0 ? (UInt64(status.st_dev), UInt64(status.st_ino)) : nil
    return ListeningSocket(address: address, descriptor: descriptor, file: file)
  }

  /// Closes it, and removes a Unix socket's file if it is still this one's.
  package func close() {
    Glibc.close(self.descriptor.rawValue)
    guard case .unix(let path) = self.address, let file = self.file else { return }
    var status = stat()
    guard lstat(path, &status) == 0, UInt64(status.st_dev) == file.device,
      UInt64(status.st_ino) == file.inode
    else { return }
    unlink(path)
  }

  private static func close(_ descriptor: Int32) { Glibc.close(descriptor) }

  private static func error(_ doing: String, _ errno: Errno) -> ProcessError {
    ProcessError(.sockets, doing: doing, underlyingError: errno)
  }

  private static func listen(at address: SocketAddress) throws(ProcessError) -> FileDescriptor {
    guard let target = address.kernelForm else { throw Self.error("listen on \(address)", .invalidArgument) }
    let number = socket(
      address.domain,
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue),
      0)
    guard number >= 0 else { throw Self.error("listen on \(address)", Errno(rawValue: errno)) }
    var on: Int32 = 1
    // What an earlier run left in TIME_WAIT is no obstacle (socket(7)).
    setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    let bound = target.withUnsafeBytes { bytes in
      bind(number, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    guard bound == 0, Glibc.listen(number, 128) == 0 else {
      let failure = Errno(rawValue: errno)
      Self.close(number)
      throw Self.error(
        "listen on \(address)\(failure == .addressInUse ? Self.holder(of: address) : "")", failure)
    }
    return FileDescriptor(rawValue: number)
  }

  private static func holder(of address: SocketAddress) -> String {
    guard case .tcp(_, let port) = address, let state = try? PortCheck().state(of: port),
      case .held(let holders) = state
    else { return "" }
    return " (held by \(holders.map(\.description).joined(separator: "; ")))"
  }

  private static func lockDirectory(of path: String) -> Int32? {
    let directory = FilePath(path).removingLastComponent().string
    let descriptor = cprocctl_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    // Whoever keeps it locked cannot keep us from starting.
    _ = flock(descriptor, LOCK_EX | LOCK_NB)
    return descriptor
  }

  /// Removes a socket's file behind which nobody listens.
  private static func removeLeftover(_ path: String) throws(ProcessError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw Self.error("listen on \(path), where there is a file that is no socket", .fileExists)
    }
    if let listener = Self.listener(at: path) {
      throw Self.error("listen on \(path), where \(listener) listens already", .addressInUse)
    }
    guard unlink(path) == 0 || errno == ENOENT else {
      throw Self.error("remove \(path), which nobody listens on any more", Errno(rawValue: errno))
    }
  }

  /// Who listens there, in words; nil if nobody does.
  private static func listener(at path: String) -> String? {
    let number = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard number >= 0 else { return "perhaps another process" }
    defer { Self.close(number) }
    let target = SocketAddress.unix(path: path).kernelForm ?? []
    let result = target.withUnsafeBytes { bytes in
      connect(number, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    // A full queue (EAGAIN) and missing rights are signs of life; only this is a sign of death (unix(7)).
    guard result == 0 || errno != ECONNREFUSED else { return nil }
    let peer = result == 0 ? PeerCredentials(of: FileDescriptor(rawValue: number)) : nil
    return peer.map { "pid \($0.pid)" } ?? "another process"
  }
}
