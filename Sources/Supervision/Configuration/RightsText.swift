/// What may be written for the rights of a worker, in a configuration and on the command line.
package enum RightsText {
  package static let umaskForm = "an octal string such as \"022\""
  /// -20 is favoured (nice(2)).
  package static let nice = -20...19
  /// -1000 is never killed for memory (proc(5), oom_score_adj).
  package static let outOfMemoryScore = -1000...1000

  /// Reads one to four octal digits, 777 at most; nil for anything else.
  package static func umask(_ text: String) -> UInt32? {
    guard (1...4).contains(text.utf8.count),
      text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }),
      let mask = UInt32(text, radix: 8), mask <= 0o777
    else { return nil }
    return mask
  }
}
