import CProcCtl
import Glibc
import ProcCtl
import SystemPackage
import Testing

/// A TCP socket of a test, closed with its value's last reference.
final class TestSocket {
  let descriptor: Int32
  private var isOpen = true

  /// - Parameter bindTo: Where to bind; port 0 for one that the kernel chooses.
  init(
    bindTo address: InternetAddress, port: UInt16 = 0, reuse: Bool = true, onlyV6: Bool = true,
    listen: Bool = true
  ) throws {
    let target = SocketAddress.tcp(address, port: port)
    self.descriptor = socket(
      target.domain, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    var only: Int32 = onlyV6 ? 1 : 0
    let size = socklen_t(MemoryLayout<Int32>.size)
    if reuse { setsockopt(self.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size) }
    if address.family == .v6 {
      setsockopt(self.descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, size)
    }
    try Self.check(Self.call(bind, self.descriptor, target))
    if listen { try Self.check(Glibc.listen(self.descriptor, 16)) }
  }

  /// Connects to a port of 127.0.0.1 or another address.
  init(connectTo address: InternetAddress = .loopbackV4, port: UInt16) throws {
    let target = SocketAddress.tcp(address, port: port)
    self.descriptor = socket(
      target.domain, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    try Self.check(Self.call(connect, self.descriptor, target))
  }

  private init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit { self.close() }

  /// Ends the socket, not only our hold of it: a child that another test is
  /// spawning at this moment holds every descriptor until its exec. For a
  /// listener on a port that the kernel chose this frees the port too.
  func close() {
    if self.isOpen { shutdown(self.descriptor, Int32(SHUT_RDWR)) }
    self.letGo()
  }

  /// Closes our descriptor; whoever inherited the socket has it still.
  func letGo() {
    if self.isOpen { Glibc.close(self.descriptor) }
    self.isOpen = false
  }

  func accept() throws -> TestSocket {
    let number = Glibc.accept(self.descriptor, nil, nil)
    try Self.check(number)
    try Self.check(cprocctl_fcntl(number, F_SETFD, FD_CLOEXEC))
    return TestSocket(descriptor: number)
  }

  /// Waits for the peer to close.
  func readToEnd() {
    var byte: UInt8 = 0
    while recv(self.descriptor, &byte, 1, 0) > 0 {}
  }

  var port: UInt16 {
    var raw = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    withUnsafeMutablePointer(to: &raw) { pointer in
      _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(self.descriptor, $0, &size)
      }
    }
    // The port is in the same place for both families.
    return withUnsafeBytes(of: &raw) { UInt16($0[2]) << 8 | UInt16($0[3]) }
  }

  var inode: UInt32 {
    var status = stat()
    fstat(self.descriptor, &status)
    return UInt32(truncatingIfNeeded: status.st_ino)
  }

  private static func call(
    _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ descriptor: Int32,
    _ address: SocketAddress
  ) -> Int32 {
    (address.kernelForm ?? []).withUnsafeBytes { bytes in
      function(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
  }

  private static func check(_ result: Int32) throws {
    guard result >= 0 else { throw Errno(rawValue: errno) }
  }
}

/// A `cat` in a session of its own that holds a socket of ours and ends when
/// this value does: its standard input is a connection of which we have the other end.
final class SocketHolderProcess {
  let pid: pid_t
  private let keepAlive: Int32

  init(holding socket: TestSocket) throws {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    else {
      throw Errno(rawValue: errno)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    posix_spawn_file_actions_adddup2(&actions, socket.descriptor, 9)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, 0x80)  // POSIX_SPAWN_SETSID
    let words = ["cat", "-"]
    let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    let result = posix_spawn(&child, "/bin/cat", &actions, &attributes, arguments, [nil])
    close(ends[0])
    self.keepAlive = ends[1]
    self.pid = child
    guard result == 0 else {
      throw Errno(rawValue: result)
    }
  }

  deinit {
    close(self.keepAlive)
    if self.pid > 0 { waitpid(self.pid, nil, 0) }
  }
}
