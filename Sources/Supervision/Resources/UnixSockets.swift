package import ProcCtl

/// The bound Unix sockets of this network namespace at one moment. One look serves many workers: asking it
/// about one of them costs little, however many sockets there are.
package struct UnixSockets: Sendable {
  private let names: [UInt32: ByteString]
  /// By name.
  private let sorted: [UnixSocketTable.Entry]

  package init(_ entries: [UnixSocketTable.Entry] = []) {
    self.names = Dictionary(entries.map { ($0.inode, $0.name) }) { first, _ in first }
    self.sorted = entries.sorted { $0.name.bytes.lexicographicallyPrecedes($1.name.bytes) }
  }

  /// The name it is bound to; nil if it is not, or there is none.
  package func name(of inode: UInt32) -> ByteString? { self.names[inode] }

  /// Those whose names begin so.
  package func beginning(with prefix: [UInt8]) -> ArraySlice<UnixSocketTable.Entry> {
    var bounds = self.sorted.startIndex..<self.sorted.endIndex
    while !bounds.isEmpty {
      let middle = bounds.lowerBound + bounds.count / 2
      if self.sorted[middle].name.bytes.lexicographicallyPrecedes(prefix) {
        bounds = middle + 1..<bounds.upperBound
      } else {
        bounds = bounds.lowerBound..<middle
      }
    }
    return self.sorted[bounds.lowerBound...].prefix { $0.name.bytes.starts(with: prefix) }
  }
}
