/// Takes a stream of bytes apart into messages, each of which ends with a zero byte
/// (<https://varlink.org/Method-Call>). A value without I/O.
package struct VarlinkFraming: Sendable {
  /// A message was longer than the limit.
  package struct TooLong: Error, Sendable, Equatable {
    package init() {}
  }

  private let limit: Int
  private var pending: [UInt8] = []

  /// - Parameter limit: The longest message, in bytes.
  package init(limit: Int) { self.limit = limit }

  /// Takes bytes, and returns the messages that are complete now, without their zero bytes.
  ///
  /// - Throws: `TooLong`; nothing can be received after it.
  package mutating func receive(_ bytes: some Collection<UInt8>) throws(TooLong) -> [[UInt8]] {
    var messages: [[UInt8]] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0) {
      self.pending += rest[..<end]
      guard self.pending.count <= self.limit else { throw TooLong() }
      messages.append(self.pending)
      self.pending = []
      rest = rest[rest.index(after: end)...]
    }
    self.pending += rest
    guard self.pending.count <= self.limit else { throw TooLong() }
    return messages
  }
}
