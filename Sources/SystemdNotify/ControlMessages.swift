internal import CProcCtl
internal import Glibc
package import SystemPackage

/// What travels beside a datagram: descriptors and the sender's credentials
/// (cmsg(3), unix(7)). The macros of C that lay these out are out of Swift's
/// reach, so the arithmetic is here, once.
package enum ControlMessages {
  /// As many as the kernel takes in one message (SCM_MAX_FD).
  static let descriptorLimit = 253

  private static let headerSize = MemoryLayout<cmsghdr>.size
  private static let rights: Int32 = 1  // SCM_RIGHTS
  private static let credentials: Int32 = 2  // SCM_CREDENTIALS, hidden behind _GNU_SOURCE

  /// A header is 8-aligned, and so is what follows a body.
  private static func aligned(_ length: Int) -> Int {
    (length + MemoryLayout<Int>.size - 1) & ~(MemoryLayout<Int>.size - 1)
  }

  /// Room for credentials and as many descriptors as can come.
  static var receiveCapacity: Int {
    self.headerSize + self.aligned(MemoryLayout<Credentials>.size) + self.headerSize
      + self.aligned(self.descriptorLimit * MemoryLayout<Int32>.size)
  }

  /// struct ucred, hidden behind _GNU_SOURCE.
  package struct Credentials {
    package var pid: Int32 = 0
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
  }

  package struct Received {
    package var credentials: Credentials?
    package var descriptors: [FileDescriptor] = []
  }

  /// The control buffer that passes these descriptors; empty for none.
  package static func encode(_ descriptors: [FileDescriptor]) -> [UInt8] {
    guard !descriptors.isEmpty else { return [] }
    let body = descriptors.count * MemoryLayout<Int32>.size
    var buffer = [UInt8](repeating: 0, count: self.headerSize + self.aligned(body))
    var header = cmsghdr()
    header.cmsg_len = self.headerSize + body
    header.cmsg_level = SOL_SOCKET
    header.cmsg_type = self.rights
    buffer.withUnsafeMutableBytes { bytes in
      bytes.storeBytes(of: header, as: cmsghdr.self)
      for (index, descriptor) in descriptors.enumerated() {
        bytes.storeBytes(
          of: descriptor.rawValue, toByteOffset: self.headerSize + index * MemoryLayout<Int32>.size,
          as: Int32.self)
      }
    }
    return buffer
  }

  /// Takes a received control buffer apart. Every descriptor in it is now the caller's to close.
  package static func decode(_ buffer: UnsafeRawBufferPointer) -> Received {
    var received = Received()
    var offset = 0
    while offset + self.headerSize <= buffer.count {
      let header = buffer.loadUnaligned(fromByteOffset: offset, as: cmsghdr.self)
      let length = Int(header.cmsg_len)
      guard length >= self.headerSize, length <= buffer.count - offset else { break }
      let body = UnsafeRawBufferPointer(rebasing: buffer[(offset + self.headerSize)..<(offset + length)])
      if header.cmsg_level == SOL_SOCKET, header.cmsg_type == self.rights {
        for index in 0..<(body.count / MemoryLayout<Int32>.size) {
          let raw = body.loadUnaligned(fromByteOffset: index * MemoryLayout<Int32>.size, as: Int32.self)
          received.descriptors.append(FileDescriptor(rawValue: raw))
        }
      } else if header.cmsg_level == SOL_SOCKET, header.cmsg_type == self.credentials,
        body.count >= MemoryLayout<Credentials>.size
      {
        received.credentials = body.loadUnaligned(as: Credentials.self)
      }
      offset += self.aligned(length)
    }
    return received
  }
}
