public import Logging

/// Writes one JSON object (RFC 8259) per event and line:
/// `{"time":"2026-…Z","level":"info","label":"procctl","message":"…","metadata":{"worker":"alpha"}}`.
///
/// Metadata keeps its nesting; its leaves are strings.
public struct JSONLogHandler: LogHandler, Sendable {
  private let label: String
  private let output: LogOutput
  private let now: @Sendable () -> LogTime
  private var fields: LogFields
  public var logLevel: Logger.Level

  public init(
    label: String, output: LogOutput = .standardError, level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = nil
  ) {
    self.init(
      label: label, output: output, level: level, metadataProvider: metadataProvider, now: LogTime.now)
  }

  package init(
    label: String, output: LogOutput, level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = nil, now: @escaping @Sendable () -> LogTime
  ) {
    self.label = label
    self.output = output
    self.now = now
    self.fields = LogFields(provider: metadataProvider)
    self.logLevel = level
  }

  public var metadata: Logger.Metadata {
    get { self.fields.metadata }
    set { self.fields.metadata = newValue }
  }

  public var metadataProvider: Logger.MetadataProvider? {
    get { self.fields.provider }
    set { self.fields.provider = newValue }
  }

  public subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { self.fields.metadata[key] }
    set { self.fields.metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var time: [UInt8] = []
    self.now().append(to: &time)
    var line = JSONLine()
    line.open("{")
    line.member("time", String(decoding: time, as: UTF8.self))
    line.member("level", event.level.rawValue)
    line.member("label", self.label)
    line.member("message", "\(event.message)")
    let metadata = self.fields.sorted(with: event)
    if !metadata.isEmpty {
      line.key("metadata")
      line.object(metadata)
    }
    line.close("}")
    self.output.write(line: line.bytes)
  }
}

/// As much of JSON as a log line needs.
private struct JSONLine {
  private(set) var bytes: [UInt8] = []
  private var needsComma = false

  mutating func open(_ bracket: Unicode.Scalar) {
    self.separate()
    self.bytes.append(UInt8(ascii: bracket))
    self.needsComma = false
  }

  mutating func close(_ bracket: Unicode.Scalar) {
    self.bytes.append(UInt8(ascii: bracket))
    self.needsComma = true
  }

  mutating func key(_ name: String) {
    self.string(name)
    self.bytes.append(UInt8(ascii: ":"))
    self.needsComma = false
  }

  mutating func member(_ name: String, _ value: String) {
    self.key(name)
    self.string(value)
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

  private mutating func string(_ text: String) {
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
