internal import CProcCtl
internal import Glibc
package import SystemPackage

/// Who is at the other end of a Unix socket, by the kernel's word (SO_PEERCRED, unix(7)).
package struct PeerCredentials: Sendable, Equatable {
  package var pid: Int32
  package var user: UInt32
  package var group: UInt32

  package init(pid: Int32, user: UInt32, group: UInt32) {
    self.pid = pid
    self.user = user
    self.group = group
  }

  /// Nil if the kernel does not tell.
  package init?(of descriptor: FileDescriptor) {
    // struct ucred, hidden behind _GNU_SOURCE.
    var raw: (Int32, UInt32, UInt32) = (0, .max, .max)
    var size = socklen_t(MemoryLayout.size(ofValue: raw))
    guard getsockopt(descriptor.rawValue, SOL_SOCKET, SO_PEERCRED, &raw, &size) == 0 else { return nil }
    self.init(pid: raw.0, user: raw.1, group: raw.2)
  }

  /// Whether they may command a process of this user.
  package func mayCommand(_ user: UInt32) -> Bool { self.user == user || self.user == 0 }
}
