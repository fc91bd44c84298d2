/// Bytes from another process made fit to print: one line, no terminal escapes,
/// nothing that reorders what stands beside it. No I/O.
package enum PrintableText {
  /// Returns the bytes as text, with everything but printable characters written
  /// as `\n`, `\t`, `\xNN` or `\u{…}`, and a backslash as `\\`.
  ///
  /// - Parameters:
  ///   - bytes: Text in UTF-8, or not.
  ///   - limit: How many characters to return at most; longer text ends in an ellipsis.
  package static func escaping(_ bytes: some Collection<UInt8>, limit: Int = 256) -> String {
    var text = ""
    var length = 0
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let piece: String
      if let (scalar, size) = Self.firstScalar(in: rest) {
        piece = Self.escape(scalar)
        rest = rest.dropFirst(size)
      } else {
        piece = "\\x" + Self.hexadecimal(UInt32(rest[rest.startIndex]), digits: 2)
        rest = rest.dropFirst()
      }
      if length + piece.unicodeScalars.count > limit { return text + "…" }
      text += piece
      length += piece.unicodeScalars.count
    }
    return text
  }

  /// The arguments of a process as one line, from /proc/PID/cmdline, where each
  /// ends in a zero byte; nil if there are none, as for a zombie.
  package static func commandLine(_ bytes: some Collection<UInt8>, limit: Int = 256) -> String? {
    var arguments = Array(bytes)
    while arguments.last == 0 { arguments.removeLast() }
    guard !arguments.isEmpty else { return nil }
    return Self.escaping(arguments.map { $0 == 0 ? UInt8(ascii: " ") : $0 }, limit: limit)
  }

  /// Lines of ours that may hold words of others: what a terminal would act on, what nobody could see and what
  /// turns the text around is escaped. Line ends and backslashes stay, so that what is escaped stays as it is.
  package static func lines(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n", "\\": result.unicodeScalars.append(scalar)
      default: result += Self.escape(scalar)
      }
    }
    return result
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": return "\\n"
    case "\t": return "\\t"
    case "\r": return "\\r"
    case "\\": return "\\\\"
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control where scalar.value < 0x80:
      return "\\x" + Self.hexadecimal(scalar.value, digits: 2)
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
      return "\\u{\(Self.hexadecimal(scalar.value, digits: 4))}"
    default: return String(Character(scalar))
    }
  }

  private static func firstScalar(in bytes: ArraySlice<UInt8>) -> (Unicode.Scalar, size: Int)? {
    guard let first = bytes.first else { return nil }
    if first < 0x80 { return (Unicode.Scalar(first), 1) }
    var iterator = bytes.prefix(4).makeIterator()
    var decoder = UTF8()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return nil }
    return (scalar, UTF8.width(scalar))
  }

  private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}

extension ByteString {
  /// As text for a terminal or a log: what could rewrite what a person sees is escaped.
  package var printable: String { PrintableText.escaping(self.bytes, limit: 4096) }
}
