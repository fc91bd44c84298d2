internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Asks the kernel to destroy a socket that listens for this purpose only, and that nobody else knows.
///
/// A socket that does not exist would not do: the kernel looks for it before it looks at our rights.
enum SocketDestroyTrial {
  /// Why sockets cannot be destroyed; nil if they can.
  static func obstacle() -> String? {
    let victim = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard victim >= 0 else { return "\(Errno(rawValue: errno))" }
    defer { close(victim) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(victim, $0, length) == 0 && listen(victim, 1) == 0 && getsockname(victim, $0, &length) == 0
      }
    }
    guard isListening else { return "\(Errno(rawValue: errno))" }
    let port = UInt16(bigEndian: address.sin_port)
    let entry: SocketEntry?
    do throws(ProcessError) {
      entry = try SocketTable.read(from: .netlink, ports: [port], states: .listen).first {
        $0.localAddress == .loopbackV4
      }
    } catch {
      return "\(error)"
    }
    guard let entry else { return "the kernel's socket table does not show a socket that is there" }
    do throws(Errno) {
      var destroyer = try SocketDestroyer()
      return try destroyer.destroy(entry) ? nil : "the kernel does not find a socket that is there"
    } catch .notPermitted {
      return "needs CAP_NET_ADMIN"
    } catch Errno(rawValue: EOPNOTSUPP) {
      return "a kernel with CONFIG_INET_DIAG_DESTROY has it"
    } catch {
      return "\(error)"
    }
  }
}
