/// One line of a notification: `NAME=value` (sd_notify(3)).
public struct Assignment: Hashable, Sendable, CustomStringConvertible {
  /// The name: capitals, digits and underscores.
  public let name: String
  /// The value: any text on one line.
  public let value: String

  /// The receiver's buffer; systemd ignores a message that does not fit.
  package static let messageLimit = 4096

  /// - Throws: ``NotificationError`` with code `.invalidAssignment` if the name is not made of
  ///   capitals, digits and underscores, or the value holds a newline or NUL, which would start
  ///   another assignment or end the message.
  public init(_ name: String, _ value: String) throws(NotificationError) {
    guard Assignment.isName(name.utf8) else {
      throw NotificationError(
        .invalidAssignment, doing: "the name of an assignment is \(name.debugDescription)")
    }
    guard !value.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == 0 }) else {
      throw NotificationError(
        .invalidAssignment, doing: "the value of \(name) holds a newline or NUL: \(value.debugDescription)")
    }
    self.init(trusted: name, value)
  }

  /// For names and values that cannot break the protocol.
  init(trusted name: String, _ value: String) {
    self.name = name
    self.value = value
  }

  /// `NAME=value`, as it is sent.
  public var description: String { "\(self.name)=\(self.value)" }

  static func isName(_ bytes: some Collection<UInt8>) -> Bool {
    guard let first = bytes.first, bytes.count <= 64 else { return false }
    let isDigit = { (byte: UInt8) in byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
    return !isDigit(first)
      && bytes.allSatisfy { byte in
        (byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")) || byte == UInt8(ascii: "_") || isDigit(byte)
      }
  }

  /// `STATUS=` from any text: control characters are shown escaped, and what is longer than a
  /// status line can be is cut.
  package static func status(_ text: String) -> Assignment {
    let limit = 1024
    var result = ""
    var length = 0
    for scalar in text.unicodeScalars {
      let piece: String
      switch scalar {
      case "\n": piece = "\\n"
      case "\r": piece = "\\r"
      case "\t": piece = "\\t"
      case "\0"..<" ", "\u{7F}"..."\u{9F}":
        let digits = String(scalar.value, radix: 16)
        piece = "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
      default: piece = String(scalar)
      }
      guard length + piece.utf8.count <= limit else {
        result += "…"
        break
      }
      length += piece.utf8.count
      result += piece
    }
    return Assignment(trusted: "STATUS", result)
  }

  package static func encode(_ assignments: [Assignment]) -> [UInt8] {
    var bytes: [UInt8] = []
    for assignment in assignments {
      if !bytes.isEmpty { bytes.append(UInt8(ascii: "\n")) }
      bytes += assignment.name.utf8
      bytes.append(UInt8(ascii: "="))
      bytes += assignment.value.utf8
    }
    return bytes
  }

  /// The assignments in a message, or nil if it is none: not UTF-8, a NUL inside, no assignment at
  /// all. Lines that are no assignment are skipped, as systemd does.
  package static func parse(_ message: some BidirectionalCollection<UInt8>) -> [Assignment]? {
    // One NUL at the end is what careless senders add.
    let body = message.last == 0 ? message.dropLast() : message[...]
    guard !body.contains(0) else { return nil }
    var assignments: [Assignment] = []
    for line in body.split(separator: UInt8(ascii: "\n")) {
      guard let equals = line.firstIndex(of: UInt8(ascii: "=")), Assignment.isName(line[..<equals]) else {
        continue
      }
      guard
        let name = String(validating: line[..<equals], as: UTF8.self),
        let value = String(validating: line[line.index(after: equals)...], as: UTF8.self)
      else { return nil }
      assignments.append(Assignment(trusted: name, value))
    }
    return assignments.isEmpty ? nil : assignments
  }
}
