public import Logging
public import SystemPackage

/// Writes one line per event for people:
/// `2026-02-03T04:05:06.000007Z info procctl: worker is ready worker=alpha pid=812`.
///
/// Connected to the journal, the time is left out and the priority put in front (sd-daemon(3)).
/// Control characters are escaped: whatever a message holds, it stays one line and does nothing
/// to a terminal.
public struct TextLogHandler: FieldedLogHandler, Sendable {
  private let label: String
  private let output: any LogDestination
  private let toJournal: Bool
  private let now: @Sendable () -> LogTime
  var fields: LogFields
  /// The least important level that the logger passes on to this.
  public var logLevel: Logger.Level

  /// - Parameter toJournal: Whether the output is a journal stream; see ``JournalStream``.
  public init(
    label: String, output: LogOutput = .standardError,
    toJournal: Bool = JournalStream.isConnected(.standardError), level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = nil
  ) {
    self.init(
      label: label, output: output, toJournal: toJournal, level: level, metadataProvider: metadataProvider,
      now: LogTime.now)
  }

  package init(
    label: String, output: any LogDestination, toJournal: Bool, level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = nil, now: @escaping @Sendable () -> LogTime
  ) {
    self.label = label
    self.output = output
    self.toJournal = toJournal
    self.now = now
    self.fields = LogFields(provider: metadataProvider)
    self.logLevel = level
  }

  /// Writes one line. May be called from any thread.
  public func log(event: LogEvent) {
    var line: [UInt8] = []
    if self.toJournal {
      line += "<\(event.level.syslogPriority)>".utf8
    } else {
      self.now().append(to: &line)
      line.append(UInt8(ascii: " "))
    }
    line += "\(event.level.rawValue) \(self.label): ".utf8
    TextLogHandler.append("\(event.message)", to: &line)
    for (key, value) in self.fields.sorted(with: event) {
      line.append(UInt8(ascii: " "))
      TextLogHandler.append(key, to: &line)
      line.append(UInt8(ascii: "="))
      TextLogHandler.append(value: "\(value)", to: &line)
    }
    self.output.write(line: line)
  }

  /// In quotes where a reader could not tell where the value ends.
  private static func append(value: String, to line: inout [UInt8]) {
    let ambiguous: Set<Unicode.Scalar> = [" ", "\"", "=", "\\"]
    guard value.isEmpty || value.unicodeScalars.contains(where: ambiguous.contains) else {
      self.append(value, to: &line)
      return
    }
    line.append(UInt8(ascii: "\""))
    self.append(value, to: &line, quoted: true)
    line.append(UInt8(ascii: "\""))
  }

  private static func append(_ text: String, to line: inout [UInt8], quoted: Bool = false) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": line += "\\n".utf8
      case "\r": line += "\\r".utf8
      case "\t": line += "\\t".utf8
      case "\"" where quoted: line += "\\\"".utf8
      case "\\" where quoted: line += "\\\\".utf8
      // Among the second range is CSI in one character.
      case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
        line += "\\u{\(String(scalar.value, radix: 16))}".utf8
      default: line += String(scalar).utf8
      }
    }
  }
}
