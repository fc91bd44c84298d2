/// The fields of one journal entry (systemd.journal-fields(7)), each `NAME=value`
/// in bytes. A value may hold anything, newlines too.
package struct JournalEntry: Hashable, Sendable {
  package private(set) var fields: [[UInt8]] = []

  /// As journald reads it from its socket (systemd's "Journal Native Protocol"): a line for each field; one
  /// whose value has a newline in it is its name, the length of the value in 64 bits, little-endian, and that.
  package var datagram: [UInt8] {
    let newline = UInt8(ascii: "\n")
    var bytes: [UInt8] = []
    for field in self.fields {
      if field.contains(newline), let sign = field.firstIndex(of: UInt8(ascii: "=")) {
        let value = field[(sign + 1)...]
        bytes += field[..<sign] + [newline]
        withUnsafeBytes(of: UInt64(value.count).littleEndian) { bytes += $0 }
        bytes += value
      } else {
        bytes += field
      }
      bytes.append(newline)
    }
    return bytes
  }

  /// Names that mean something to the journal; metadata does not get to forge them.
  private static let reserved: Set<String> = [
    "MESSAGE", "MESSAGE_ID", "PRIORITY", "CODE_FILE", "CODE_LINE", "CODE_FUNC", "ERRNO", "INVOCATION_ID",
    "USER_INVOCATION_ID", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "SYSLOG_TIMESTAMP",
    "SYSLOG_RAW", "DOCUMENTATION", "TID", "UNIT", "USER_UNIT", "OBJECT_PID", "COREDUMP_UNIT",
  ]

  mutating func add(_ name: String, _ value: String) {
    self.fields.append(Array(name.utf8) + [UInt8(ascii: "=")] + Array(value.utf8))
  }

  /// Adds metadata under a name the journal accepts.
  mutating func add(metadata key: String, _ value: String) {
    self.add(JournalEntry.fieldName(key), value)
  }

  /// In capitals, with an underscore for whatever is neither letter nor digit, at most 64 bytes; an
  /// X_ in front of what would be refused, trusted or reserved.
  package static func fieldName(_ key: String) -> String {
    var bytes: [UInt8] = []
    for byte in key.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"): bytes.append(byte - 32)
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): bytes.append(byte)
      default: bytes.append(UInt8(ascii: "_"))
      }
    }
    let name = String(decoding: bytes.prefix(64), as: UTF8.self)
    let startsWell = bytes.first.map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") } ?? false
    guard startsWell, !self.reserved.contains(name) else {
      return "X_" + String(decoding: bytes.prefix(62), as: UTF8.self)
    }
    return name
  }
}
