import Glibc

/// What comes out of a descriptor, kept. Closes it in the end.
///
/// Used by one task at a time.
final class Capture: @unchecked Sendable {
  let descriptor: Int32
  private(set) var bytes: [UInt8] = []
  private(set) var isAtEnd = false

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(self.descriptor) }

  var text: String { String(decoding: self.bytes, as: UTF8.self) }
  var lines: [String] { self.text.split(separator: "\n").map(String.init) }

  /// Takes what is there now.
  func take() {
    guard !self.isAtEnd else { return }
    let (bytes, atEnd) = readAvailable(self.descriptor)
    self.bytes += bytes
    self.isAtEnd = atEnd
  }

  /// Reads on until the text holds this, at or after `offset`; returns the offset behind it.
  @discardableResult
  func expect(_ wanted: String, from offset: Int = 0, within limit: Duration = .seconds(10)) async throws
    -> Int
  {
    let deadline = Deadline(in: limit)
    while true {
      self.take()
      if let end = self.end(of: Array(wanted.utf8), from: offset) { return end }
      guard !self.isAtEnd, try await readable([self.descriptor], by: deadline) else {
        throw WaitError("\"\(wanted)\" did not come; there is:\n\(self.text)")
      }
    }
  }

  /// Reads on until whoever can write has closed it; false if that was not in time.
  func expectEnd(within limit: Duration) async throws -> Bool {
    let deadline = Deadline(in: limit)
    while !self.isAtEnd {
      guard try await readable([self.descriptor], by: deadline) else { return false }
      self.take()
    }
    return true
  }

  private func end(of wanted: [UInt8], from offset: Int) -> Int? {
    guard self.bytes.count >= offset + wanted.count else { return nil }
    for start in offset...(self.bytes.count - wanted.count)
    where self.bytes[start..<start + wanted.count].elementsEqual(wanted) {
      return start + wanted.count
    }
    return nil
  }
}
