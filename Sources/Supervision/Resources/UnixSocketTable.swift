package import ProcCtl

/// The text of /proc/net/unix (proc(5)): the Unix sockets of this network namespace. No I/O.
package enum UnixSocketTable {
  package struct Entry: Sendable, Hashable {
    package var inode: UInt32
    /// Begins with `@` for one in the abstract namespace (unix(7)).
    package var name: ByteString

    package init(inode: UInt32, name: ByteString) {
      self.inode = inode
      self.name = name
    }
  }

  /// Those that are bound to a name.
  package static func entries(_ text: some Sequence<UInt8>) -> [Entry] {
    Array(text).split(separator: UInt8(ascii: "\n")).compactMap { line in
      // Num RefCount Protocol Flags Type St Inode Path; the path may hold spaces.
      let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 7)
      guard fields.count == 8, fields[0].last == UInt8(ascii: ":"), let inode = UInt32(decimal: fields[6])
      else { return nil }
      return Entry(inode: inode, name: ByteString(bytes: fields[7].drop { $0 == UInt8(ascii: " ") }))
    }
  }
}
