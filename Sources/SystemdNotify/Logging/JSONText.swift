internal import Logging

/// JSON (RFC 8259) as it is written, value by value, into bytes: for lines that are many, where an
/// encoder would take longer than all else. Whoever calls it keeps keys and values in turn.
package struct JSONText: Sendable {
  package private(set) var bytes: [UInt8] = []
  private var needsComma = false

  package init() {}

  package mutating func open(_ bracket: Unicode.Scalar) {
    self.separate()
    self.bytes.append(UInt8(ascii: bracket))
    self.needsComma = false
  }

  package mutating func close(_ bracket: Unicode.Scalar) {
    self.bytes.append(UInt8(ascii: bracket))
    self.needsComma = true
  }

  package mutating func key(_ name: String) {
    self.string(name)
    self.bytes.append(UInt8(ascii: ":"))
    self.needsComma = false
  }

  package mutating func member(_ name: String, _ value: String) {
    self.key(name)
    self.string(value)
  }

  package mutating func member(_ name: String, _ value: some BinaryInteger) {
    self.key(name)
    self.separate()
    self.bytes += String(value).utf8
    self.needsComma = true
  }

  package mutating func member(_ name: String, _ value: Bool) {
    self.key(name)
    self.separate()
    self.bytes += (value ? "true" : "false").utf8
    self.needsComma = true
  }

  mutating func object(_ members: [(key: String, value: Logger.MetadataValue)]) {
    self.open("{")
    for (key, value) in members {
      self.key(key)
      self.value(value)
    }
    self.close("}")
  }

  private mutating func value(_ value: Logger.MetadataValue) {
    switch value {
    case .string(let text): self.string(text)
    case .stringConvertible(let convertible): self.string(convertible.description)
    case .dictionary(let members): self.object(members.sorted { $0.key < $1.key })
    case .array(let elements):
      self.open("[")
      for element in elements { self.value(element) }
      self.close("]")
    }
  }

  package mutating func string(_ text: String) {
    self.separate()
    self.bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): self.bytes += "\\\"".utf8
      case UInt8(ascii: "\\"): self.bytes += "\\\\".utf8
      case UInt8(ascii: "\n"): self.bytes += "\\n".utf8
      case UInt8(ascii: "\r"): self.bytes += "\\r".utf8
      case UInt8(ascii: "\t"): self.bytes += "\\t".utf8
      // DEL need not be escaped, but a log is also looked at in a terminal.
      case 0..<0x20, 0x7F:
        let digits = String(byte, radix: 16)
        self.bytes += "\\u00".utf8
        if digits.utf8.count < 2 { self.bytes.append(UInt8(ascii: "0")) }
        self.bytes += digits.utf8
      default: self.bytes.append(byte)
      }
    }
    self.bytes.append(UInt8(ascii: "\""))
    self.needsComma = true
  }

  private mutating func separate() {
    if self.needsComma { self.bytes.append(UInt8(ascii: ",")) }
  }
}
