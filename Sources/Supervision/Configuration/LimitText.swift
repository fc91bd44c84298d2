public import ProcCtl

/// A text that is no resource limit.
public struct LimitTextError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The text that was to be read.
  public var text: String

  /// One line that says what can be written instead.
  public var description: String {
    "\"\(self.text)\" is not a limit: write a number, SOFT:HARD or unlimited, with SOFT not above HARD"
  }
}

extension ChildSetup.Limit {
  /// Reads `1024`, `1024:4096`, `unlimited` or `1024:unlimited` (setrlimit(2)); a single value is both.
  ///
  /// - Throws: `LimitTextError` if the text is none of these, or the soft limit above the hard one.
  public init(_ resource: Resource, text: String) throws(LimitTextError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard let first = parts.first, let last = parts.last, parts.count <= 2 else {
      throw LimitTextError(text: text)
    }
    let soft = try Self.amount(first, of: text)
    let hard = try Self.amount(last, of: text)
    if let hard, soft ?? .max > hard { throw LimitTextError(text: text) }
    self.init(resource, soft: soft, hard: hard)
  }

  private static func amount(_ part: Substring, of text: String) throws(LimitTextError) -> UInt64? {
    if part == "unlimited" { return nil }
    // The largest number is how the kernel writes "unlimited": it has a word here.
    guard part.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = UInt64(part), number != .max
    else { throw LimitTextError(text: text) }
    return number
  }
}
