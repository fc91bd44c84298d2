/// Text the kernel sees as bytes: an argument, or a variable of the environment.
///
/// Linux does not promise UTF-8 there, so nothing is decoded on the way through.
/// A zero byte cannot be part of it; it ends the string, as it does for execve(2).
public struct ByteString: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// The bytes, without a zero at the end.
  public var bytes: [UInt8]

  /// Takes the bytes up to the first zero.
  public init(bytes: some Sequence<UInt8>) {
    self.bytes = Array(bytes.prefix { $0 != 0 })
  }

  /// Takes the text in UTF-8, up to the first NUL.
  public init(_ string: String) {
    self.init(bytes: string.utf8)
  }

  /// Takes the literal in UTF-8, up to the first NUL.
  public init(stringLiteral value: String) {
    self.init(value)
  }

  /// Copies the zero-terminated string at the pointer.
  public init(cString: UnsafePointer<CChar>) {
    var bytes: [UInt8] = []
    var pointer = cString
    while pointer.pointee != 0 {
      bytes.append(UInt8(bitPattern: pointer.pointee))
      pointer += 1
    }
    self.bytes = bytes
  }

  /// The bytes as text, with a replacement character for what is not UTF-8.
  public var description: String { String(decoding: self.bytes, as: UTF8.self) }
}
