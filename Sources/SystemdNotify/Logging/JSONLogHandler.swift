public import Logging

/// Writes one JSON object (RFC 8259) per event and line:
/// `{"time":"2026-…Z","level":"info","label":"procctl","message":"…","metadata":{"worker":"alpha"}}`.
///
/// Metadata keeps its nesting; its leaves are strings.
public struct JSONLogHandler: FieldedLogHandler, Sendable {
  private let label: String
  private let output: any LogDestination
  private let now: @Sendable () -> LogTime
  var fields: LogFields
  /// The least important level that the logger passes on to this.
  public var logLevel: Logger.Level

  /// Creates a handler; give it to `LoggingSystem.bootstrap` or to a `Logger`.
  public init(
    label: String, output: LogOutput = .standardError, level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = nil
  ) {
    self.init(
      label: label, output: output, level: level, metadataProvider: metadataProvider, now: LogTime.now)
  }

  package init(
    label: String, output: any LogDestination, level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = nil, now: @escaping @Sendable () -> LogTime
  ) {
    self.label = label
    self.output = output
    self.now = now
    self.fields = LogFields(provider: metadataProvider)
    self.logLevel = level
  }

  /// Writes one line. May be called from any thread.
  public func log(event: LogEvent) {
    var time: [UInt8] = []
    self.now().append(to: &time)
    var line = JSONText()
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
