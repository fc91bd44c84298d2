/// Zero-terminated strings as execve(2) wants them, valid while the closure runs.
enum ArgumentVector {
  static func withPointers<Result, Failure: Error>(
    to strings: [ByteString],
    _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var size = 0
    for string in strings { size += string.bytes.count + 1 }
    let storage = UnsafeMutablePointer<CChar>.allocate(capacity: max(size, 1))
    defer { storage.deallocate() }
    let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
    defer { pointers.deallocate() }
    var next = storage
    for (index, string) in strings.enumerated() {
      pointers[index] = next
      for byte in string.bytes {
        next.pointee = CChar(bitPattern: byte)
        next += 1
      }
      next.pointee = 0
      next += 1
    }
    pointers[strings.count] = nil
    return try body(pointers)
  }
}
