/// An argument or variable in the bytes the kernel gets.
struct Bytes: ExpressibleByStringInterpolation, Sendable, Hashable {
  var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }
  init(_ text: String) { self.bytes = Array(text.utf8) }
  init(stringLiteral value: String) { self.init(value) }

  static func + (left: Bytes, right: Bytes) -> Bytes { Bytes(left.bytes + right.bytes) }
}

extension [Bytes] {
  /// Calls with a C array of C strings, as execve(2) wants it.
  func withCStrings<Result>(
    _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
  ) rethrows -> Result {
    let buffers = self.map { text in
      let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: text.bytes.count + 1)
      for (index, byte) in text.bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
      buffer[text.bytes.count] = 0
      return buffer
    }
    defer { for buffer in buffers { buffer.deallocate() } }
    return try body(buffers + [nil])
  }
}
